"""Deploys Grafana, which reads all the others."""

from ..elastic.elasticsearch import Elasticsearch
from ..foundation import credentials
from ..foundation.area import Urls
from ..foundation.base import Base
from ..metrics.area import Metrics
from ..traces.area import Traces
from .grafana import Datasources, Grafana, GrafanaArgs


def deploy(base: Base, urls: Urls, metrics: Metrics, logs: Elasticsearch, traces: Traces) -> None:
    """Make Grafana with its datasources and dashboards."""
    secrets = base.secrets
    at_start = [secrets.internal_seed, secrets.web_password, secrets.grafana_admin_password]
    if secrets.grafana_client_secret is not None:
        at_start.append(secrets.grafana_client_secret)
    datasources = Datasources(
        prometheus=metrics.prometheus.url,
        alertmanager=metrics.alertmanager.url,
        authentication=base.settings.exposure.authentication,
        logs=logs.connection,
        jaeger=traces.jaeger.query,
    )
    args = GrafanaArgs(
        placement=base.monitoring,
        settings=base.settings.grafana,
        url=urls["grafana"],
        datasources=datasources,
        backup=base.backup_target,
        credentials=credentials.annotation(*at_start),
    )
    Grafana("grafana", args, base.options(logs))
