"""What each user of the logs may do in a real Elasticsearch, and what not."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from components.logs.index.set_up import ALIAS
from tests.elasticsearch.server import Server

from .template import FIRST_INDEX

LINE = {"@timestamp": "2026-01-31T10:00:00Z", "message": "x", "log": {"level": "ERROR"}}
SEARCH = [{"index": f"{ALIAS}-*"}, {"size": 0, "aggs": {"levels": {"terms": {"field": "log.level"}}}}]
MAY = [
    ("grafana", "GET", "/_cluster/health?wait_for_status=yellow", None),  # its health check
    ("grafana", "GET", f"/{ALIAS}-*/_mapping", None),
    ("grafana", "GET", f"/{ALIAS}-*/_field_caps?fields=*", None),
    ("grafana", "POST", "/_msearch", SEARCH),
    ("logstash", "GET", "/", None),
    ("metrics", "GET", "/_cluster/health", None),
    ("metrics", "GET", "/_nodes/stats", None),
    ("metrics", "GET", "/_cluster/settings", None),
    ("backup", "GET", f"/_cluster/health/{FIRST_INDEX}", None),
    ("backup", "POST", f"/{FIRST_INDEX}/_close", None),
    ("backup", "POST", f"/{FIRST_INDEX}/_open", None),
]
MAY_NOT = [
    ("grafana", "DELETE", f"/{FIRST_INDEX}", None),
    ("grafana", "GET", "/other/_search", None),
    ("grafana", "PUT", f"/{ALIAS}-2/_doc/1", LINE),
    ("logstash", "GET", f"/{ALIAS}/_search", None),
    ("logstash", "PUT", f"/{ALIAS}/_mapping", {"dynamic": True}),
    ("logstash", "PUT", f"/{ALIAS}/_mapping", {"properties": {"new": {"type": "keyword"}}}),
    ("logstash", "POST", f"/{ALIAS}/_rollover", None),
    ("logstash", "DELETE", f"/{FIRST_INDEX}", None),
    ("metrics", "GET", f"/{ALIAS}/_search", None),
    ("metrics", "PUT", "/_cluster/settings", {"persistent": {"cluster.routing.allocation.enable": "none"}}),
    ("backup", "GET", f"/{ALIAS}/_search", None),
    ("backup", "DELETE", "/other", None),
    ("nobody", "GET", "/", None),
]


@pytest.fixture(scope="module")
def indices(indexed: Server) -> Iterator[Server]:
    """Beside the index that is written to, one of somebody else."""
    indexed.ask("PUT", "/other", {})
    yield indexed
    indexed.ask("DELETE", "/other")


@pytest.mark.parametrize(("user", "method", "path", "content"), MAY)
def test_may(indices: Server, user: str, method: str, path: str, content: Any) -> None:
    status, answer = indices.call(method, path, content, user)
    assert status == 200, answer
    assert "unauthorized" not in json.dumps(answer)


@pytest.mark.parametrize(("user", "method", "path", "content"), MAY_NOT)
def test_may_not(indices: Server, user: str, method: str, path: str, content: Any) -> None:
    status, answer = indices.call(method, path, content, user)
    assert status == (401 if user == "nobody" else 403), answer


@pytest.mark.parametrize(
    ("action", "index", "status"),
    [("create", ALIAS, 201), ("index", ALIAS, 403), ("create", f"{ALIAS}-new", 403), ("create", "other", 403)],
)
def test_logstash_writes_new_lines_to_the_index_that_is_there_and_nothing_else(
    indices: Server, action: str, index: str, status: int
) -> None:
    answered, answer = indices.call("POST", "/_bulk", [{action: {"_index": index}}, LINE], "logstash")
    assert answered == 200, answer
    (item,) = answer["items"]
    assert item[action]["status"] == status, item
