"""Snapshots of an index: set up, made, lost, restored. What plays Elasticsearch: snapshot_lifecycle.py."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from backup_agent import BackupError
from backup_agent import __main__ as program
from backup_agent.elasticsearch import Elasticsearch
from backup_agent.snapshot import Snapshot
from components.elastic import users as access
from tests.backup_agent.snapshot_lifecycle import SnapshotLifecycle
from tests.logs import opensearch

PORT, DAY = 29346, "mangakai-jaeger-span-2026-01-31"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[opensearch.Node]:
    with opensearch.running(tmp_path_factory.mktemp("opensearch"), 9281) as running:
        yield running


@pytest.fixture
def lifecycle(node: opensearch.Node) -> Iterator[SnapshotLifecycle]:
    lifecycle = SnapshotLifecycle(node, PORT)
    with lifecycle.running():
        yield lifecycle
    node.call("DELETE", "/mangakai-*?expand_wildcards=all")
    for snapshot in node.call("GET", "/_snapshot/backup/_all")[1].get("snapshots", []):
        node.ask("DELETE", f"/_snapshot/backup/{snapshot['snapshot']}")


@pytest.fixture
def environment(environment: dict[str, str], lifecycle: SnapshotLifecycle) -> dict[str, str]:
    for name in ("MANGAKAI_LOGS", "MANGAKAI_TRACES"):
        environment |= {f"{name}_URL": lifecycle.url, f"{name}_LOGIN": "backup:x", f"{name}_AUTHORITY": ""}
    return {**environment, "BACKUP_BUCKET": "mangakai-backups"}


def fill(node: opensearch.Node, index: str, documents: int) -> None:
    lines: list[Any] = []
    for number in range(documents):
        lines += [{"index": {"_index": index, "_id": str(number)}}, {"message": f"line {number}"}]
    assert node.ask("POST", "/_bulk?refresh=true", lines)["errors"] is False


def found(node: opensearch.Node, index: str) -> list[str]:
    answer = node.ask("GET", f"/{index}/_search?size=100&sort=_id")
    return [hit["_source"]["message"] for hit in answer["hits"]["hits"]]


def set_up(environment: dict[str, str], part: str) -> Elasticsearch:
    assert program.main(["set-up", part], environment) == 0
    return program.elasticsearch(part, environment)


def test_a_set_up_waits_for_a_cluster_that_starts_at_the_same_time(
    node: opensearch.Node,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(program, "PAUSE_SECONDS", 0.2)
    starting = SnapshotLifecycle(node, PORT + 1)
    with ExitStack() as stack:
        threading.Timer(1, lambda: stack.enter_context(starting.running())).start()
        set_up({**environment, "MANGAKAI_LOGS_URL": starting.url}, "mangakai-logs")
    assert list(starting.policies) == ["recent", "daily"]
    assert "waiting for mangakai-logs: PUT" in capsys.readouterr().out


def test_a_set_up_gives_up_after_its_time_and_where_waiting_does_not_help(
    environment: dict[str, str],
    lifecycle: SnapshotLifecycle,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(program, "START_SECONDS", -1)
    nobody = {**environment, "MANGAKAI_LOGS_URL": f"http://127.0.0.1:{PORT + 1}"}
    assert program.main(["set-up", "mangakai-logs"], nobody) == 1
    assert "Connection refused" in capsys.readouterr().err
    monkeypatch.setattr(program, "START_SECONDS", 60)
    monkeypatch.setattr(lifecycle, "answer", lambda *_: (403, {"error": {"reason": "no right"}}))
    assert program.main(["set-up", "mangakai-logs"], environment) == 1
    assert "403: no right" in capsys.readouterr().err


def test_what_programs_write_is_what_is_saved() -> None:
    written = {"mangakai-logs": access.LOG_INDICES, "mangakai-traces": access.TRACE_INDICES}
    assert {name: [pattern] for name, pattern in program.PATTERNS.items()} == written


def test_the_set_up_says_where_how_often_and_for_how_long(
    lifecycle: SnapshotLifecycle, environment: dict[str, str]
) -> None:
    set_up(environment, "mangakai-logs")
    before = (lifecycle.repositories, lifecycle.policies)
    assert lifecycle.repositories["backup"] == {
        "type": "s3",
        "settings": {"bucket": "mangakai-backups", "base_path": "mangakai-logs"},
    }
    recent, daily = (lifecycle.policies[name]["policy"] for name in ("recent", "daily"))
    assert (recent["schedule"], recent["retention"]["expire_after"]) == ("0 0 0/1 * * ?", "1d")
    assert (daily["schedule"], daily["retention"]["expire_after"]) == ("0 30 1 * * ?", "30d")
    assert recent["config"] == daily["config"] == {"indices": ["mangakai-logs-*"], "include_global_state": False}
    set_up({**environment, "BACKUP_INTERVAL_SECONDS": "86400"}, "mangakai-logs")
    assert lifecycle.policies["recent"]["policy"]["schedule"] == "0 0 0 * * ?"
    set_up(environment, "mangakai-logs")
    assert (lifecycle.repositories, lifecycle.policies) == before


def test_traces_come_back_under_their_names(
    node: opensearch.Node, lifecycle: SnapshotLifecycle, environment: dict[str, str]
) -> None:
    one = set_up(environment, "mangakai-traces")
    fill(node, DAY, 50)
    before = found(node, DAY)
    snapshot = one.save()
    assert snapshot.source == DAY
    assert one.snapshots() == [snapshot]
    node.ask("DELETE", f"/{DAY}")
    assert list(one.restore(snapshot, overwrite=False)) == [f"restored {DAY}"]
    assert found(node, DAY) == before
    assert lifecycle.requests


def test_an_index_that_is_there_is_left_unless_told(
    node: opensearch.Node, lifecycle: SnapshotLifecycle, environment: dict[str, str]
) -> None:
    one = set_up(environment, "mangakai-traces")
    fill(node, DAY, 5)
    snapshot = one.save()
    fill(node, DAY, 9)
    assert list(one.restore(snapshot, overwrite=False)) == [f"is there, left as it is: {DAY}"]
    assert len(found(node, DAY)) == 9
    assert list(one.restore(snapshot, overwrite=True)) == [f"restored {DAY}"]
    assert len(found(node, DAY)) == 5
    assert f"POST /{DAY}/_close" in lifecycle.requests


def test_logs_come_back_beside_those_of_the_new_cluster(node: opensearch.Node, environment: dict[str, str]) -> None:
    one = set_up(environment, "mangakai-logs")
    first = "mangakai-logs-000001"
    alias = {"aliases": {"mangakai-logs": {"is_write_index": True}}}
    node.ask("PUT", f"/{first}", alias)
    fill(node, first, 50)
    before = found(node, first)
    snapshot = one.save()
    node.ask("DELETE", f"/{first}")
    node.ask("PUT", f"/{first}", alias)
    fill(node, "mangakai-logs", 3)
    restored = "mangakai-logs-restored-000001"
    assert list(one.restore(snapshot, overwrite=False)) == [f"restored {first} as {restored}"]
    assert found(node, restored) == before
    assert len(found(node, first)) == 3
    # Still one index is written to, and the restored one is found by whoever looks for logs.
    assert list(node.ask("GET", "/mangakai-logs/_alias")) == [first]
    assert len(found(node, "mangakai-logs-*")) == 53
    assert list(one.restore(snapshot, overwrite=False)) == [f"is there, left as it is: {restored}"]


def test_what_elasticsearch_saved_by_itself_is_seen(
    node: opensearch.Node, lifecycle: SnapshotLifecycle, environment: dict[str, str]
) -> None:
    one = set_up(environment, "mangakai-traces")
    with pytest.raises(BackupError, match="has made no snapshot yet"):
        one.scheduled()
    fill(node, DAY, 5)
    lifecycle.execute("recent", "recent-first")
    seen: Snapshot = one.scheduled()
    assert (seen.id, seen.made == seen.newest) == ("recent-first", True)
    one.check()
    lifecycle.failing = "no such bucket"
    lifecycle.execute("recent", "recent-second")
    with pytest.raises(BackupError, match="failed: no such bucket"):
        one.scheduled()
    lifecycle.failing = ""
    lifecycle.execute("recent", "recent-third")
    assert one.scheduled().made >= seen.made


def test_a_repository_that_is_damaged_is_found(
    node: opensearch.Node, lifecycle: SnapshotLifecycle, environment: dict[str, str]
) -> None:
    one = set_up(environment, "mangakai-traces")
    node.ask("DELETE", "/_snapshot/backup")
    with pytest.raises(BackupError, match=r"404: .*missing"):
        one.check()
    assert lifecycle.requests[-1] == "POST /_snapshot/backup/_verify"


def test_the_snapshots_of_another_stack_are_read(
    node: opensearch.Node, lifecycle: SnapshotLifecycle, environment: dict[str, str]
) -> None:
    set_up(environment, "mangakai-traces")
    fill(node, DAY, 5)
    saved = program.elasticsearch("mangakai-traces", environment).save()
    node.ask("DELETE", f"/{DAY}")
    other = program.elasticsearch("mangakai-traces", environment, "lost-bucket")
    assert lifecycle.repositories["other"]["settings"] == {
        "bucket": "lost-bucket",
        "base_path": "mangakai-traces",
        "readonly": True,
    }
    assert other.snapshots() == [saved]
    assert list(other.restore(saved, overwrite=False)) == [f"restored {DAY}"]
    assert len(found(node, DAY)) == 5
    assert f"POST /_snapshot/other/{saved.id}/_restore" in lifecycle.requests
    node.ask("DELETE", "/_snapshot/other")
