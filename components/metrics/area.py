"""Deploys metrics and alerts."""

from dataclasses import dataclass

from ..foundation import certificate, credentials
from ..foundation.area import Urls
from ..foundation.base import Base
from ..foundation.names import MONITORING
from . import gossip
from .alert_rules import AlertRules, AlertRulesArgs
from .alertmanager import Alertmanager, AlertmanagerArgs
from .prometheus import Prometheus, PrometheusArgs
from .scrape_jobs import ScrapeConfigs, ScrapeConfigsArgs


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """The components of this area that others use."""

    prometheus: Prometheus
    alertmanager: Alertmanager


def deploy(base: Base, urls: Urls) -> Metrics:
    """Make the rules, the scrape jobs and Alertmanager, then Prometheus, which needs them."""
    settings = base.settings
    replicated = settings.alertmanager.replicas > 1
    gossip_seed = base.secrets.derive("alertmanager@alertmanager") if replicated else None
    rules = AlertRules(
        "rules",
        AlertRulesArgs(
            namespace=MONITORING,
            settings=settings.alerts,
            application=settings.application,
            certificates_until=gossip.certificate_until() if replicated else certificate.UNTIL,
        ),
        base.options(),
    )
    jobs = ScrapeConfigs(
        "jobs",
        ScrapeConfigsArgs(
            namespace=MONITORING,
            application=settings.application,
            exposure=settings.exposure,
            backups=base.backup_target is not None,
        ),
        base.options(),
    )
    alertmanager = Alertmanager(
        "alertmanager",
        AlertmanagerArgs(
            placement=base.monitoring,
            settings=settings.alertmanager,
            urls=urls,
            exposure=settings.exposure,
            gossip_seed=gossip_seed,
            # The reloaders read the password at their start, as Alertmanager does the authority of the gossip.
            credentials=credentials.annotation(base.secrets.web_password, gossip_seed),
        ),
        base.options(),
    )
    prometheus = Prometheus(
        "prometheus",
        PrometheusArgs(
            placement=base.monitoring,
            agents=base.agents,
            settings=settings.prometheus,
            cluster=settings.cluster,
            url=urls["prometheus"],
            exposure=settings.exposure,
            backup=base.backup_target,
            credentials=credentials.annotation(base.secrets.web_password),
        ),
        base.options(rules, jobs, alertmanager),
    )
    return Metrics(prometheus=prometheus, alertmanager=alertmanager)
