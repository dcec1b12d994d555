"""Settings of the logs: Elasticsearch, Logstash, Kibana and Filebeat."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from .elastic import ElasticsearchSettings, with_version
from .types import AS_TEXT, Model, Name, Replicas, Resources, Volume, sized, to_bytes


class LogstashSettings(Model):
    """Logstash; its volume holds the queues. Its heap is half of the memory limit."""

    replicas: Replicas = 2
    storage: Volume = "5Gi"
    resources: Resources = sized("500m", "1536Mi", "1", "2Gi")

    @model_validator(mode="after")
    def _the_queues_fit(self) -> "LogstashSettings":
        if to_bytes(self.storage) < 2**30:
            raise ValueError("storage may not be below 1Gi: the queues take that")
        return self


class KibanaSettings(Model):
    """Kibana, which keeps its state in Elasticsearch."""

    replicas: Replicas = 2
    resources: Resources = sized("250m", "1Gi", "1", "2Gi")

    @model_validator(mode="after")
    def _it_runs(self) -> "KibanaSettings":
        memory = self.resources.manifest()["limits"]["memory"]
        if to_bytes(memory) < 2 * 2**30:
            raise ValueError(
                f"resources.limits.memory may not be below 2Gi, where Kibana 9 crashes: it is {memory}; "
                "without limits it is what requests ask for"
            )
        return self


def _below_a_folder(path: str) -> str:
    # Its folder is mounted: of /app.log or /*/app.log that would be all of the node.
    if not re.fullmatch(r"/[^\s*?\[/]+/\S+", path):
        raise ValueError("a path below a folder without wildcards is allowed, such as /var/log/*/app.log")
    return path


class FilebeatSettings(Model):
    """Filebeat, one pod a node.

    Args:
        namespaces: whose containers' lines it ships besides the application's.
        paths: files of the node that it ships as lines of the backend, such as /var/log/mangakai/*.log (S-079).
        resources: of each pod.
    """

    namespaces: list[Name] = []
    paths: list[Annotated[str, AfterValidator(_below_a_folder), AS_TEXT]] = []
    resources: Resources = sized("100m", "200Mi", "500m", "400Mi")


# renovate: datasource=docker depName=docker.elastic.co/elasticsearch/elasticsearch
_ELASTIC_STACK = "9.5.3"


class LogsSettings(Model):
    """The ELK part. The guide's heap of 2 GiB (S-068) is what a limit of 4Gi gives."""

    retention_days: Annotated[int, Field(ge=1, le=365)] = 14

    elasticsearch: ElasticsearchSettings = ElasticsearchSettings(version=_ELASTIC_STACK)
    logstash: LogstashSettings = LogstashSettings()
    kibana: KibanaSettings = KibanaSettings()
    filebeat: FilebeatSettings = FilebeatSettings()

    @model_validator(mode="before")
    @classmethod
    def _default_version(cls, value: object) -> object:
        return with_version(value, "elasticsearch", _ELASTIC_STACK)
