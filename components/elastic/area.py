"""Deploys Elastic's operator, and an Elasticsearch cluster for each area that has one."""

from ..foundation import credentials
from ..foundation.base import Base
from ..settings.elastic import ElasticsearchSettings
from .eck_operator import ElasticOperator, ElasticOperatorArgs
from .elasticsearch import Elasticsearch, ElasticsearchArgs
from .exporter import Exporter, ExporterArgs
from .users import ElasticsearchUsers


def deploy(base: Base) -> ElasticOperator:
    """Make the operator, which turns custom resources into Elasticsearch, Kibana, Logstash and Beats."""
    args = ElasticOperatorArgs(
        placement=base.monitoring, agents=base.agents, webhook=base.settings.cluster.elastic_webhook
    )
    return ElasticOperator("elastic-operator", args, base.options())


def deploy_elasticsearch(
    base: Base, operator: ElasticOperator, *, name: str, settings: ElasticsearchSettings, users: ElasticsearchUsers
) -> Elasticsearch:
    """Make a cluster, and the exporter by which Prometheus sees it.

    Args:
        base: what every area is given.
        operator: which comes first.
        name: of the cluster.
        settings: its version and size.
        users: who logs in.
    """
    cluster = Elasticsearch(
        name,
        ElasticsearchArgs(placement=base.monitoring, settings=settings, users=users, backup=base.backup_target),
        base.options(operator),
    )
    exporter = ExporterArgs(
        placement=base.monitoring,
        elasticsearch=cluster.connection,
        credentials=credentials.annotation(base.secrets.internal_seed),
    )
    Exporter(f"{name}-exporter", exporter, base.options(cluster))
    return cluster
