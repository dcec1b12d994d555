"""Settings of Jaeger and of its storage, sized as the guide sizes them (S-087 to S-090)."""

from typing import Literal

from pydantic import Field, model_validator

from .elastic import ElasticsearchSettings, with_version
from .types import Model, Replicas, Resources, sized


class CollectorSettings(Model):
    """The Jaeger collector, which takes spans by OTLP."""

    replicas: Replicas = 2
    resources: Resources = sized("500m", "512Mi", "1", "1Gi")


class QuerySettings(Model):
    """Jaeger query, which serves traces to Grafana and to its own web interface."""

    replicas: Replicas = 2
    resources: Resources = sized("250m", "256Mi", "500m", "512Mi")


# Jaeger v1 is tested by its makers against Elasticsearch 8.19, not against 9.
# renovate: datasource=docker depName=docker.elastic.co/elasticsearch/elasticsearch
_ELASTICSEARCH = "8.19.21"


class TracesSettings(Model):
    """Jaeger. `cert_manager` says whether the cluster has cert-manager, which the operator's webhooks need."""

    cert_manager: Literal["existing", "none"] = "existing"
    retention_days: int = Field(default=7, ge=1, le=365)
    collector: CollectorSettings = CollectorSettings()
    query: QuerySettings = QuerySettings()
    elasticsearch: ElasticsearchSettings = ElasticsearchSettings(version=_ELASTICSEARCH)

    @model_validator(mode="before")
    @classmethod
    def _default_version(cls, value: object) -> object:
        return with_version(value, "elasticsearch", _ELASTICSEARCH)
