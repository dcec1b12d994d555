"""What Elastic's operator says of an Elasticsearch that it was asked to change, and does not."""

from collections.abc import Iterator
from typing import Any

from kubernetes import client as api

from .cluster_reader import NotAllowedError, read
from .names import MONITORING

_CONDITION = "ReconciliationComplete"


def refusal(elasticsearch: dict[str, Any]) -> dict[str, str] | None:
    """Return the condition by which the operator says that it cannot make of an Elasticsearch what it was asked to.

    The same condition says what it waits for, which passes. That is a sentence of its own; an error is one of Go, which
    begins with a small letter.
    """
    conditions = (elasticsearch.get("status") or {}).get("conditions") or []
    found = next((one for one in conditions if one["type"] == _CONDITION and one["status"] == "False"), None)
    return found if found and found.get("message", "")[:1].islower() else None


def refusals(client: api.ApiClient) -> Iterator[str]:
    """Yield a line for each Elasticsearch that is not what the last update asked for; nothing where it may not be read.

    Raises:
        HTTPError: the cluster does not answer, or not to this user.
    """
    try:
        found = read(client, f"/apis/elasticsearch.k8s.elastic.co/v1/namespaces/{MONITORING}/elasticsearches")
    except NotAllowedError:
        return
    for item in (found or {"items": []})["items"]:
        if refused := refusal(item):
            name = item["metadata"]["name"]
            yield f"Elasticsearch {name} is not what the last update asked for: its operator says: {refused['message']}"
