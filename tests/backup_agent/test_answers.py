"""Whatever somebody answers, it is an error of the part that asked: it says who answered what, and the others go on.

Each answer that the program takes apart is given without each of its keys, with a value of another type at each place,
and as no JSON at all.
"""

import copy
import json
import socketserver
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from backup_agent import BackupError
from backup_agent import __main__ as program
from backup_agent.elasticsearch import Elasticsearch
from backup_agent.schedule import Schedule
from backup_agent.snapshot import Backup, Snapshot
from backup_agent.web import Web
from tests.backup_agent.conftest import INTERVAL
from tests.backup_agent.test_schedule import Clock
from tests.serving import serving

BLOCK = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
SNAPSHOT = {
    "snapshot": "recent-1",
    "state": "SUCCESS",
    "start_time_in_millis": 1_800_000_000_000,
    "indices": ["mangakai-logs-000001"],
    "index_details": {"mangakai-logs-000001": {"size_in_bytes": 5}},
}
SILENCE = {
    "status": {"state": "active"},
    "matchers": [{}],
    "startsAt": "2026-01-31T12:00:00.000Z",
    "endsAt": "2126-01-31T12:00:00.000Z",
    "createdBy": "mei",
    "comment": "move",
}
SAVED = {
    "id": "0a1b",
    "time": "2026-01-31T12:00:00.123456789+01:00",
    "tags": ["newest=5"],
    "summary": {"total_bytes_processed": 5},
    "paths": ["/data"],
}
INVOCATION = {"snapshot_name": "recent-1", "time": 1_800_000_000_000}
HEALTH = {"indices": {"mangakai-logs-restored-000001": {"active_primary_shards": 1, "number_of_shards": 1}}}
# Who is asked what, with all that the program takes from the answer.
GOOD: dict[str, Any] = {
    "GET /_slm/policy/recent": {"recent": {"last_success": INVOCATION}},
    "PUT /_slm/policy/recent/_execute": {"snapshot_name": "recent-1"},
    "GET /_snapshot/backup/recent-1": {"snapshots": [SNAPSHOT]},
    "GET /_snapshot/backup/_all": {"snapshots": [SNAPSHOT]},
    "GET /_cat/indices/mangakai-logs-*": [{"index": "mangakai-logs-000001"}],
    "POST /_snapshot/backup/recent-1/_restore": {"accepted": True},
    "GET /_cluster/health/mangakai-logs-restored-000001": HEALTH,
    "GET /api/v2/silences": [SILENCE],
    "restic backup": {"snapshot_id": "0a1b"},
    "restic snapshots": [SAVED],
    "Prometheus: meta.json": {"minTime": 0, "maxTime": 7_200_000, "compaction": {"sources": [BLOCK]}},
}
OPTIONAL = {"last_success", "index_details", "tags", "summary", "total_bytes_processed"}
UNREAD = {"accepted"}


Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Wrong:
    """A wrong answer as it is sent, and the key that is missing or wrong in it, if it is one."""

    text: str
    key: str = ""


def wrong(good: Any) -> Iterator[Wrong]:
    """Yield what may be wrong with an answer."""
    for text in ("<html>Bad gateway</html>", "", "null", "5", '"text"', "[5]"):
        yield Wrong(text)
    for place in places(good):
        value, key = at(good, place), next((each for each in reversed(place) if isinstance(each, str)), "")
        if key not in UNREAD:
            yield Wrong(changed(good, place, 5 if isinstance(value, str) else "text"), key)
        if isinstance(value, str) and key in ("time", "startsAt", "endsAt"):
            yield Wrong(changed(good, place, "yesterday"), key)
        # The name of an index is no key that must be there.
        if place[-1] == key and key not in UNREAD | OPTIONAL and "-" not in key:
            yield Wrong(changed(good, place, None), key)
            yield Wrong(changed(good, place, ...), key)


def places(value: Any) -> Iterator[Place]:
    """Yield the way to each value in an answer: keys, and numbers of elements."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []:
        yield (key,)
        yield from ((key, *rest) for rest in places(value[key]))


def at(value: Any, place: Place) -> Any:
    for key in place:
        value = value[key]
    return value


def changed(good: Any, place: Place, value: Any) -> str:
    """Return the answer with another value at a place, or, where that is `...`, without it."""
    other = copy.deepcopy(good)
    inside = at(other, place[:-1])
    if value is ...:
        del inside[place[-1]]
    else:
        inside[place[-1]] = value
    return json.dumps(other)


class World:
    """Everybody who is asked, and the parts that ask them. `answers` is what each says."""

    def __init__(self, folder: Path, url: str, environment: dict[str, str]) -> None:
        self._folder, self.url = folder, url
        self.answers = {request: json.dumps(answer) for request, answer in GOOD.items()}
        restic = folder / "bin" / "restic"
        restic.parent.mkdir()
        restic.write_text(
            '#!/bin/sh\nfor word; do case "$word" in\n'
            f"unlock|forget|check) exit 0;;\nbackup|snapshots) cat {folder}/$word; exit 0;;\nesac; done\nexit 1\n"
        )
        restic.chmod(0o700)
        (folder / "data" / BLOCK).mkdir(parents=True)
        self._environment = {
            **environment,
            "PATH": f"{restic.parent}:/usr/bin:/bin",
            "PROMETHEUS_DATA": str(folder / "data"),
            "ALERTMANAGER_URL": url,
        }

    def part(self, request: str) -> Backup:
        """Return the part that makes a request."""
        self._said()
        if request.startswith("Prometheus"):
            return program.backup("prometheus", self._environment)
        if "restic" in request or "silences" in request:
            return program.backup("alertmanager", self._environment)
        return Elasticsearch("mangakai-logs", Web(self.url), "mangakai-logs-*", INTERVAL, True, sleep=awake)

    def _said(self) -> None:
        """Let restic and Prometheus answer what they are to answer."""
        for command in ("backup", "snapshots"):
            (self._folder / command).write_text(self.answers[f"restic {command}"])
        (self._folder / "data" / BLOCK / "meta.json").write_text(self.answers["Prometheus: meta.json"])

    def who(self, request: str) -> str:
        """Return what an error must begin with."""
        if request.startswith("Prometheus"):
            return f"Prometheus: {self._folder}/data/{BLOCK}/meta.json: "
        return f"{request}: " if request.startswith("restic") else request.replace(" ", f" {self.url}", 1)


def awake(_: float) -> None:
    pytest.fail("it waits")


@pytest.fixture
def world(tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            text = asked.answers.get(f"{self.command} {self.path.partition('?')[0]}", "{}").encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_PUT = do_POST = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Tests look at what came of it."""

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        asked = World(tmp_path, f"http://127.0.0.1:{port}", environment)
        yield asked


def restore(part: Backup) -> None:
    list(part.restore(Snapshot("recent-1", 0, 0, 0, ""), overwrite=False))


ASKING: dict[str, Callable[[Backup], object]] = {
    **dict.fromkeys(GOOD, lambda part: part.scheduled()),
    "PUT /_slm/policy/recent/_execute": lambda part: part.save(),
    "GET /_snapshot/backup/_all": lambda part: part.snapshots(),
    **dict.fromkeys([request for request in GOOD if "_cat" in request or "restored" in request], restore),
    "POST /_snapshot/backup/recent-1/_restore": restore,
}


@pytest.mark.parametrize("request_", GOOD)
def test_it_says_who_answered_and_what_is_missing(world: World, request_: str) -> None:
    ask, count = ASKING[request_], 0
    ask(world.part(request_))
    for each in wrong(GOOD[request_]):
        world.answers[request_] = each.text
        with pytest.raises(BackupError) as caught:
            ask(world.part(request_))
        told = str(caught.value)
        assert told.startswith(world.who(request_)), each
        assert each.key in told, each
        assert "\n" not in told
        count += 1
    print(f"\n  {count} wrong answers, the last one: {told}")


class Fine:
    """A part that is saved."""

    part, objective = "fine", 0.0

    def __init__(self) -> None:
        self.saved = 0

    def scheduled(self) -> Snapshot:
        self.saved += 1
        return Snapshot("1", 1, 1, 1, "")

    save = scheduled

    def check(self) -> None:
        """All is well."""

    def snapshots(self) -> list[Snapshot]:
        return []

    def restore(self, snapshot: Snapshot, overwrite: bool) -> Iterator[str]:
        yield from ()


def failing(schedule: Schedule) -> list[float]:
    lines = [line for line in schedule.metrics().splitlines() if line.startswith("backup_failing{")]
    return [float(line.rpartition(" ")[2]) for line in lines]


@pytest.mark.parametrize(
    "request_", [request for request in GOOD if "restic" in request or ASKING[request] is ASKING["restic backup"]]
)
def test_the_schedule_goes_on_with_the_other_parts(world: World, request_: str) -> None:
    for each in wrong(GOOD[request_]):
        world.answers[request_] = each.text
        told: list[str] = []
        fine, clock, part = Fine(), Clock(), world.part(request_)
        schedule = Schedule([part, fine], INTERVAL, told.append, clock)
        schedule.run_due()
        assert (failing(schedule), fine.saved) == ([1, 0], 1), each
        assert any(line.startswith(f"error: {part.part}: {world.who(request_)}") for line in told), told
        world.answers[request_] = json.dumps(GOOD[request_])
        world.part(request_)
        clock.time += 299
        schedule.run_due()
        assert failing(schedule) == [1, 0], "it was tried again before five minutes were over"
        clock.time += 1
        schedule.run_due()
        assert failing(schedule) == [0, 0], told


def test_an_error_that_nobody_thought_of_is_one_of_its_part_too(world: World) -> None:
    request = "GET /_snapshot/backup/recent-1"
    world.answers[request] = json.dumps({"snapshots": [{**SNAPSHOT, "start_time_in_millis": 1e300}]})
    told: list[str] = []
    fine = Fine()
    schedule = Schedule([world.part(request), fine], INTERVAL, told.append, Clock())
    schedule.run_due()
    assert (failing(schedule), fine.saved) == ([1, 0], 1)
    assert told[0].startswith("error: mangakai-logs: Traceback")
    assert "schedule.py" in told[0]


SILENT = (
    b"",
    b"garbage\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
    b"HTTP/1.1 500 x\r\nContent-Length: 9\r\n\r\n{",
)


@pytest.mark.parametrize("text", SILENT)
def test_an_answer_that_breaks_off_is_told_too(text: bytes) -> None:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            self.wfile.write(text)

    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as port:
        url = f"http://127.0.0.1:{port}"
        with pytest.raises(BackupError, match=f"^GET {url}/x: .") as caught:
            Web(url).call("GET", "/x")
    print(f"\n  {caught.value}")


NEEDED = {
    "run prometheus": ["PROMETHEUS_DATA", "POD_NAME", "BACKUP_STORAGE", "BACKUP_RETENTION_DAYS", "BACKUP_LISTEN"],
    "run grafana": ["GRAFANA_DATABASE", "BACKUP_WORK"],
    "run alertmanager mangakai-logs": ["ALERTMANAGER_URL", "MANGAKAI_LOGS_URL", "BACKUP_INTERVAL_SECONDS"],
    "set-up mangakai-traces": ["MANGAKAI_TRACES_LOGIN", "BACKUP_BUCKET"],
}


@pytest.mark.parametrize(("command", "name"), [(command, name) for command, names in NEEDED.items() for name in names])
def test_a_variable_that_is_not_set_is_named(
    environment: dict[str, str], capsys: pytest.CaptureFixture[str], command: str, name: str
) -> None:
    environment |= {each: "x" for names in NEEDED.values() for each in names if each not in environment}
    environment |= {
        f"{each}_{what}": "" for each in ("MANGAKAI_LOGS", "MANGAKAI_TRACES") for what in ("LOGIN", "URL", "AUTHORITY")
    }
    del environment[name]
    assert program.main(command.split(), environment) == 1
    assert capsys.readouterr().err == f"error: not set in the environment: {name}\n"


def test_a_variable_that_is_no_number_is_named(environment: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["run", "grafana"], {**environment, "BACKUP_INTERVAL_SECONDS": "hourly"}) == 1
    told = "BACKUP_INTERVAL_SECONDS in the environment is not a whole number: 'hourly'"
    assert capsys.readouterr().err == f"error: {told}\n"
