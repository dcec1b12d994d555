"""What each login of the logs may do, asked of the real Elasticsearch: all that it needs, and nothing else."""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from components.elastic.users import KIBANA_FEATURES
from components.foundation.names import KIBANA_SPACE, WEB_USER
from components.logs.index import set_up

from .server import SUPERUSER, Server, password

ALIAS, INDEX, RESTORED, OTHER = "mangakai-logs", "mangakai-logs-000001", "mangakai-logs-restored-1", "payroll"
LINE = {"@timestamp": "2026-11-29T13:00:00Z", "message": "a line", "log": {"level": "ERROR"}}
MATCH_ALL: dict[str, Any] = {"query": {"match_all": {}}}
APPLICATION = "kibana-.kibana"

# Of Elasticsearch's modules those that search in the background, update and delete by query are not published: they do
# so by the actions that are asked for here.
READ = {
    "count": ("GET", f"/{ALIAS}-*/_count", None),
    "search": ("POST", f"/{ALIAS}-*/_search", MATCH_ALL),
    "search of what was restored": ("POST", f"/{RESTORED}/_search", MATCH_ALL),
    "fields": ("GET", f"/{ALIAS}-*/_field_caps?fields=*", None),
    "mapping": ("GET", f"/{ALIAS}-*/_mapping", None),
    "resolving": ("GET", f"/_resolve/index/{ALIAS}-*", None),
}
WRITE = {
    "new line": ("POST", "/_bulk", [{"create": {"_index": ALIAS}}, LINE]),
    "line over another": ("POST", "/_bulk", [{"index": {"_index": INDEX, "_id": "1"}}, LINE]),
    "changed line": ("POST", f"/{INDEX}/_update/1", {"doc": {"message": "another"}}),
    "deleted line": ("DELETE", f"/{INDEX}/_doc/1", None),
    "mapping": ("PUT", f"/{ALIAS}/_mapping", {"properties": {"new": {"type": "keyword"}}}),
    "settings": ("PUT", f"/{ALIAS}/_settings", {"index": {"number_of_replicas": "1"}}),
    "rollover": ("POST", f"/{ALIAS}/_rollover?dry_run=true", None),
    "index": ("PUT", f"/{ALIAS}-000009", {}),
    "closed index": ("POST", f"/{RESTORED}/_close", None),
    "deleted index": ("DELETE", f"/{RESTORED}", None),
    "template": ("PUT", "/_index_template/theirs", {"index_patterns": ["theirs-*"]}),
    "deleted template": ("DELETE", f"/_index_template/{ALIAS}", None),
    "lifecycle": ("PUT", f"/_ilm/policy/{ALIAS}", {"policy": {"phases": {}}}),
    "settings of the cluster": ("PUT", "/_cluster/settings", {"persistent": {"action.auto_create_index": "true"}}),
    "snapshots": ("GET", "/_snapshot/_all", None),
}
ELSEWHERE = {
    "search of another index": ("POST", f"/{OTHER}/_search", MATCH_ALL),
    "search of all": ("POST", "/_all/_search", MATCH_ALL),
    "Kibana's own index": ("GET", "/.kibana_test/_search", None),
    "another user's password": ("POST", "/_security/user/elastic/_password", {"password": "taken-over"}),
    "a user of one's own": ("PUT", "/_security/user/theirs", {"password": "theirs-theirs", "roles": ["superuser"]}),
    "a role of one's own": ("PUT", "/_security/role/theirs", {"cluster": ["all"]}),
    "a role of another": ("GET", "/_security/role/logs_writer", None),
    "an API key": ("POST", "/_security/api_key", {"name": "theirs"}),
    "a token of Kibana": ("POST", "/_security/service/elastic/kibana/credential/token/theirs", None),
}


@pytest.fixture(scope="module")
def logs(node: Server) -> Server:
    """The logs as the Job sets them up, with a line, what was restored, and somebody else's index."""
    login, trusted = f"{SUPERUSER}:{password(SUPERUSER)}", set_up.trust(node.authority)
    server = set_up.Server("Elasticsearch", node.url, login, trusted, set_up.Patience(5))
    folder = Path(set_up.__file__).parent
    set_up.set_up_elasticsearch(server, folder, {"RETENTION_DAYS": "14", "REPLICAS": "0"})
    for index in (INDEX, RESTORED, OTHER, ".kibana_test"):
        node.ask("PUT", f"/{index}/_doc/1?refresh=true", LINE)
    return node


def refused(node: Server, user: str, what: tuple[str, str, object]) -> bool:
    """Return whether a request is forbidden: by its status, by that of each of its lines, or by finding nothing."""
    status, answer = node.call(*what, user)
    if status == 200 and isinstance(answer, dict) and "items" in answer:
        return all(next(iter(item.values()))["status"] == 403 for item in answer["items"])
    if status == 200 and "/_all/" in what[1]:
        return OTHER not in {hit["_index"] for hit in answer["hits"]["hits"]}
    assert status in (200, 201, 403), f"{user}: {what[:2]}: {status}: no answer about rights: {answer}"
    return status == 403


def may(node: Server, user: str, requests: Mapping[str, tuple[str, str, object]]) -> list[str]:
    """Return which of the requests a user may send."""
    return [name for name, what in requests.items() if not refused(node, user, what)]


@pytest.mark.parametrize("user", [WEB_USER, "grafana"])
def test_who_reads_the_logs_reads_them_and_changes_nothing(logs: Server, user: str) -> None:
    before = logs.ask("GET", f"/{ALIAS}-*/_search?version=true")["hits"]["hits"]
    assert may(logs, user, READ) == list(READ)
    assert (may(logs, user, WRITE), may(logs, user, ELSEWHERE)) == ([], [])
    assert logs.ask("GET", f"/{ALIAS}-*/_search?version=true")["hits"]["hits"] == before
    print(f"\n{user}: {len(READ)} requests answered, {len(WRITE) + len(ELSEWHERE)} refused")


def test_logstash_adds_lines_and_neither_reads_nor_changes_them(logs: Server) -> None:
    assert may(logs, "logstash", WRITE) == ["new line"]
    assert may(logs, "logstash", {key: READ[key] for key in READ if "search" in key or key == "count"}) == []
    assert may(logs, "logstash", ELSEWHERE) == []


def test_metrics_are_of_the_cluster_and_show_no_line(logs: Server) -> None:
    assert logs.ask("GET", "/_cluster/health", user="metrics")["status"] in {"green", "yellow"}
    assert (may(logs, "metrics", WRITE), may(logs, "metrics", ELSEWHERE)) == ([], [])
    assert not set(may(logs, "metrics", READ)) - {"resolving"}


def test_a_backup_reads_no_line_and_writes_none(logs: Server) -> None:
    assert not [name for name in may(logs, "backup", READ) if "search" in name]
    assert not [name for name in may(logs, "backup", WRITE) if "line" in name]
    assert may(logs, "backup", ELSEWHERE) == []


@pytest.fixture(scope="module")
def kibana(node: Server) -> Iterator[Server]:
    """Kibana's features, as it registers them at its start: each a name for its actions."""
    names = [f"feature_{feature}.{level}" for feature in (*KIBANA_FEATURES, "dev_tools") for level in ("all", "read")]
    privileges = {
        name: {"actions": [f"{name.partition('.')[0]}:read", *([f"{name}:delete"] if name.endswith(".all") else [])]}
        for name in names
    }
    node.ask("PUT", "/_security/privilege", {APPLICATION: privileges})
    yield node
    node.ask("DELETE", f"/_security/privilege/{APPLICATION}/{','.join(names)}")


def test_people_read_in_kibana_and_make_their_own_in_their_space(kibana: Server) -> None:
    """Kibana asks Elasticsearch in this way what a user may do in a space."""
    spaces, found = ("default", KIBANA_SPACE, "another"), {}
    for space, feature in itertools.product(spaces, (*KIBANA_FEATURES, "dev_tools")):
        wanted = [f"feature_{feature}:read", f"feature_{feature}.all:delete"]
        question = {
            "application": [{"application": APPLICATION, "privileges": wanted, "resources": [f"space:{space}"]}]
        }
        answer = kibana.ask("POST", "/_security/user/_has_privileges", question, WEB_USER)
        found[space, feature] = tuple(answer["application"][APPLICATION][f"space:{space}"][each] for each in wanted)
    allowed = {(space, feature): given for (space, feature), given in found.items() if any(given)}
    assert allowed == {
        **{("default", feature): (True, False) for feature in KIBANA_FEATURES},
        **{(KIBANA_SPACE, feature): (True, True) for feature in KIBANA_FEATURES},
    }
