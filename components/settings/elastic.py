"""Settings of an Elasticsearch cluster: the logs and the traces have one each."""

from .types import Model, Quorum, Resources, Version, Volume, sized


class ElasticsearchSettings(Model):
    """An Elasticsearch cluster. Its heap is half of the memory limit, as Elasticsearch sets it by itself.

    All of that limit is requested (S-088): it fills the other half with files that it reads again and again.
    """

    version: Version
    nodes: Quorum = 3
    storage: Volume = "100Gi"
    resources: Resources = sized("1", "4Gi", "2", "4Gi")


def with_version(value: object, key: str, version: str) -> object:
    """Return `value` with `version` filled in under `key`: the two Elasticsearch clusters default to different ones."""
    if isinstance(value, dict) and isinstance(value.get(key), dict):
        return {**value, key: {"version": version, **value[key]}}
    return value
