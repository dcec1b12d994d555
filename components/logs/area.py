"""Deploys the logs, against the flow of the lines: each receiver is there before what sends to it."""

from ..elastic import area as elastic
from ..elastic.eck_operator import ElasticOperator
from ..elastic.elasticsearch import Elasticsearch
from ..elastic.users import users_of_logs
from ..foundation import credentials
from ..foundation.area import Urls
from ..foundation.base import Base
from ..metrics.area import Metrics
from .filebeat import Filebeat, FilebeatArgs
from .kibana import Kibana, KibanaArgs
from .kubernetes_events import KubernetesEvents, KubernetesEventsArgs
from .log_index import LogIndex, LogIndexArgs
from .logstash import AlertmanagerConnection, Logstash, LogstashArgs


def deploy(base: Base, urls: Urls, metrics: Metrics, operator: ElasticOperator) -> Elasticsearch:
    """Make Elasticsearch, which Grafana and the backups read too, Kibana, the index, Logstash, Filebeat, the events."""
    settings, logs = base.settings, base.settings.logs
    elasticsearch = elastic.deploy_elasticsearch(
        base, operator, name="mangakai-logs", settings=logs.elasticsearch, users=users_of_logs(base.secrets)
    )
    connection = elasticsearch.connection
    kibana = Kibana(
        "kibana",
        KibanaArgs(placement=base.monitoring, settings=logs.kibana, elasticsearch=connection, url=urls["kibana"]),
        base.options(elasticsearch),
    )
    index_args = LogIndexArgs(placement=base.monitoring, elasticsearch=connection, retention_days=logs.retention_days)
    LogIndex("log-index", index_args, base.options(kibana))
    # From it both derive the certificates that they show each other.
    transport_seed = base.secrets.derive("filebeat@logstash")
    logstash = Logstash(
        "logstash",
        LogstashArgs(
            placement=base.monitoring,
            settings=logs.logstash,
            elasticsearch=connection,
            transport_seed=transport_seed,
            alertmanager=AlertmanagerConnection(
                url=metrics.alertmanager.url,
                authentication=settings.exposure.authentication,
                cluster=settings.cluster.name,
            ),
            credentials=credentials.annotation(base.secrets.internal_seed, base.secrets.web_password),
        ),
        base.options(elasticsearch, metrics.alertmanager),
    )
    filebeat = Filebeat(
        "filebeat",
        FilebeatArgs(
            placement=base.agents,
            settings=logs.filebeat,
            elasticsearch=connection,
            logstash=logstash.beats_address,
            application_namespace=settings.application.namespace,
            transport_seed=transport_seed,
            credentials=credentials.annotation(base.secrets.internal_seed),
        ),
        base.options(logstash),
    )
    events = KubernetesEventsArgs(placement=base.monitoring, application_namespace=settings.application.namespace)
    KubernetesEvents("kubernetes-events", events, base.options(filebeat))
    return elasticsearch
