"""Deploys metrics and alerts."""

from dataclasses import dataclass

from ..foundation import credentials
from ..foundation.area import Urls
from ..foundation.base import Base
from ..foundation.names import MONITORING
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
    # The reloaders read it at their start.
    web_credentials = credentials.annotation(base.secrets.web_password)
    rules = AlertRules(
        "rules",
        AlertRulesArgs(
            namespace=MONITORING,
            settings=settings.alerts,
            application=settings.application,
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
            credentials=web_credentials,
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
            credentials=web_credentials,
        ),
        base.options(rules, jobs, alertmanager),
    )
    return Metrics(prometheus=prometheus, alertmanager=alertmanager)
