"""Deploys the traces."""

from dataclasses import dataclass

from ..elastic import area as elastic
from ..elastic.eck_operator import ElasticOperator
from ..elastic.elasticsearch import Elasticsearch
from ..elastic.users import users_of_traces
from ..foundation import credentials
from ..foundation.base import Base
from .jaeger import Jaeger, JaegerArgs


@dataclass(frozen=True, kw_only=True)
class Traces:
    """The components of this area that others use."""

    jaeger: Jaeger
    elasticsearch: Elasticsearch


def deploy(base: Base, operator: ElasticOperator) -> Traces:
    """Make Jaeger and the Elasticsearch that it writes to; Jaeger's operator need not wait for that."""
    settings = base.settings.traces
    elasticsearch = elastic.deploy_elasticsearch(
        base, operator, name="mangakai-traces", settings=settings.elasticsearch, users=users_of_traces(base.secrets)
    )
    args = JaegerArgs(
        placement=base.monitoring,
        settings=settings,
        sample_ratio=base.settings.application.open_telemetry.sample_ratio,
        elasticsearch=elasticsearch.connection,
        storage=elasticsearch,
        credentials=credentials.version(base.secrets.internal_seed),
    )
    return Traces(jaeger=Jaeger("jaeger", args, base.options()), elasticsearch=elasticsearch)
