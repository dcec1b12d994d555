"""The set-up of the logs, through what can happen to it, against the stand-in of `elastic.py`."""

import itertools
import json
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from components.logs.index import set_up

from . import elastic
from .elastic import ALIAS, DEFAULT, HEALTH, IMPORT, INDEX, MAPPING, PASSING, PATHS, POLICY, STATUS, TEAM_IMPORT, Stand

FOLDER = Path(set_up.__file__).parent
VIEW = {"type": "index-pattern", "id": "view", "attributes": {"title": "mangakai-logs-*"}, "references": []}
REFERENCE = {"type": "index-pattern", "id": "view", "name": "v"}
# A line separator is a character like any other in JSON.
BOARD = {"type": "dashboard", "id": "board", "attributes": {"title": "a\u2028b"}, "references": [REFERENCE]}


@dataclass
class Clock:
    """A time that passes only while the set-up pauses; then `meanwhile` happens."""

    time: float = 0
    pauses: list[float] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.time += seconds
        self.meanwhile()


@dataclass
class SetUp:
    """A set-up with its files and surroundings, and what its last run wrote."""

    folder: Path
    environment: dict[str, str]
    stand: Stand
    clock: Clock
    capture: pytest.CaptureFixture[str]
    out: str = ""
    err: str = ""

    def run(self) -> int:
        self.stand.asked.clear()
        patience = set_up.Patience(sleep=self.clock.sleep, now=lambda: self.clock.time)
        status = set_up.main(self.environment, self.folder, patience)
        self.out, self.err = self.capture.readouterr()
        return status


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> list[elastic.Authority]:
    return [elastic.authority(tmp_path_factory.mktemp(name)) for name in ("elasticsearch", "kibana")]


@pytest.fixture
def job(tmp_path: Path, authorities: list[elastic.Authority], capsys: pytest.CaptureFixture[str]) -> Iterator[SetUp]:
    for name in ("lifecycle.json", "index_template.json"):
        shutil.copy(FOLDER / name, tmp_path)
    (tmp_path / "1-board.ndjson").write_text(json.dumps(BOARD, ensure_ascii=False))
    (tmp_path / "2-view.ndjson").write_text(json.dumps(VIEW) + "\n")
    files = [tmp_path / "elasticsearch.crt", tmp_path / "kibana.crt"]
    for file, authority in zip(files, authorities, strict=True):
        file.write_bytes(authority.pem)
    stand = Stand()
    with ExitStack() as stack:
        urls = [stack.enter_context(elastic.serving(stand, authority.context)) for authority in authorities]
        environment = {
            "ELASTICSEARCH_URL": urls[0],
            "KIBANA_URL": urls[1],
            "ELASTIC_USERNAME": "elastic",
            "ELASTIC_PASSWORD": elastic.PASSWORD,
            "CA_FILE": str(tmp_path),
            "KIBANA_SPACE": "team",
            "RETENTION_DAYS": "14",
            "REPLICAS": "1",
        }
        yield SetUp(tmp_path, environment, stand, Clock(), capsys)


def test_it_sets_all_up_in_order_a_line_a_step(job: SetUp) -> None:
    assert job.run() == 0, job.err
    methods = ["GET", "PUT", "PUT", "GET", "PUT", "PUT", "PUT", "GET", *["POST"] * 5]
    assert job.stand.asked == [f"{method} {path}" for method, path in zip(methods, PATHS, strict=True)]
    policy = job.stand.kept[f"PUT {POLICY}"]["policy"]["phases"]
    assert policy["delete"]["min_age"] == "14d"
    assert policy["hot"]["actions"]["rollover"] == {"max_primary_shard_size": "25gb", "max_age": "1d"}
    index = job.stand.kept[f"PUT {elastic.TEMPLATE}"]["template"]["settings"]["index"]
    assert (index["number_of_shards"], index["number_of_replicas"]) == ("1", "1")
    assert index["lifecycle"] == {"name": set_up.ALIAS, "rollover_alias": set_up.ALIAS}
    assert job.stand.indices == {"mangakai-logs-000001": {"mangakai-logs": {"is_write_index": True}}}
    assert job.stand.objects == {"view": VIEW, "board": BOARD}
    assert job.stand.default_view == "view"
    assert (job.stand.team, job.stand.default_view_of_team) == ({"view": VIEW}, "view of team")
    assert (len(job.out.splitlines()), job.err, job.clock.pauses) == (12, "", [])


def test_run_again_it_changes_nothing(job: SetUp) -> None:
    assert job.run() == 0
    before = job.stand.state()
    assert job.run() == 0
    assert job.stand.state() == before
    assert f"PUT {INDEX}" not in job.stand.asked


def test_it_brings_new_settings_to_what_is_there(job: SetUp) -> None:
    assert job.run() == 0
    job.environment |= {"REPLICAS": "0", "RETENTION_DAYS": "7"}
    assert job.run() == 0
    assert job.stand.kept[f"PUT {POLICY}"]["policy"]["phases"]["delete"]["min_age"] == "7d"
    assert job.stand.kept[f"PUT {elastic.SETTINGS}"] == {"index": {"number_of_replicas": "0"}}


@pytest.mark.parametrize("path", PATHS)
def test_an_earlier_run_may_have_ended_anywhere(job: SetUp, path: str) -> None:
    job.stand.faults[path] = iter([elastic.says(400, {"message": "ended here"})])
    assert job.run() == 1
    assert job.run() == 0, job.err
    for method, of in [("PUT", POLICY), ("PUT", elastic.TEMPLATE), ("PUT", MAPPING)]:
        assert f"{method} {of}" in job.stand.kept
    assert job.stand.indices == {"mangakai-logs-000001": {"mangakai-logs": {"is_write_index": True}}}
    assert (set(job.stand.objects), job.stand.default_view) == ({"view", "board"}, "view")
    assert (job.stand.team, job.stand.default_view_of_team) == ({"view": VIEW}, "view of team")


@pytest.mark.parametrize("fault", PASSING)
def test_it_outlasts_what_passes(job: SetUp, fault: str) -> None:
    for path in PATHS:
        job.stand.faults[path] = iter([PASSING[fault]] * 2)
    assert job.run() == 0, job.err
    assert job.clock.pauses == [1, 2] * len(PATHS)
    assert job.out.count("waiting for ") == 2 * len(PATHS)


@pytest.mark.parametrize("down", ["ELASTICSEARCH_URL", "KIBANA_URL"])
def test_it_waits_for_a_program_that_is_down(job: SetUp, authorities: list[elastic.Authority], down: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    job.environment[down] = f"https://127.0.0.1:{port}"
    with ExitStack() as stack:

        def start() -> None:
            if len(job.clock.pauses) == 3:
                context = authorities[down == "KIBANA_URL"].context
                stack.enter_context(elastic.serving(job.stand, context, port))

        job.clock.meanwhile = start
        assert job.run() == 0, job.err
    name = "Kibana: GET /api/status" if down == "KIBANA_URL" else "Elasticsearch: GET /_cluster/health"
    assert job.out.count(f"waiting for {name}") == 3
    assert f"no answer from https://127.0.0.1:{port}: [Errno" in job.out


def test_an_answer_that_does_not_come_is_not_waited_for(job: SetUp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_up, "PROBE_SECONDS", 0.1)
    over = threading.Event()

    def hang(_: Stand) -> None:
        over.wait(5)

    job.stand.faults[HEALTH] = iter([hang])
    job.clock.meanwhile = over.set
    assert job.run() == 0, job.err
    assert "timed out" in job.out


@pytest.mark.parametrize("path", [HEALTH, STATUS])
def test_it_gives_up_in_the_end_and_says_why(job: SetUp, path: str) -> None:
    job.stand.faults[path] = itertools.repeat(PASSING["429"])
    assert job.run() == 1
    assert job.clock.time <= 240
    assert job.clock.pauses[:5] == [1, 2, 4, 5, 5]
    # A pause and a probe without an answer: a line at least each 10 s.
    assert max(job.clock.pauses) + set_up.PROBE_SECONDS <= 10
    assert re.search(rf"^error: .*{path}.* gave up after 240 s: 429: \[parent\] Data too large$", job.err)


def test_a_wrong_password_ends_it_at_once_and_is_not_shown(job: SetUp) -> None:
    job.environment["ELASTIC_PASSWORD"] = "tr0ub4dor"
    assert job.run() == 1
    assert (job.stand.asked, job.clock.pauses) == ([f"GET {HEALTH}"], [])
    reason = "unable to authenticate user [elastic] for REST request [/_cluster/health]"
    assert job.err == f"error: Elasticsearch: GET /_cluster/health?timeout=3s: 401: {reason}\n"
    assert "tr0ub4dor" not in job.out + job.err


def test_the_reason_of_an_error_is_told_whole(job: SetUp) -> None:
    status, body = elastic.refusal(400, "illegal_argument_exception", "template is invalid")
    body["error"]["caused_by"] = {"type": "mapper_parsing_exception", "reason": "no handler for type [txt]"}
    job.stand.faults[elastic.TEMPLATE] = iter([elastic.says(status, body)])
    assert job.run() == 1
    assert job.err.endswith(f"PUT {elastic.TEMPLATE}: 400: template is invalid: no handler for type [txt]\n")


@pytest.mark.parametrize(
    ("who", "path", "body"),
    [
        ("Elasticsearch: GET", HEALTH, "<html>Bad gateway</html>"),
        ("Elasticsearch: GET", HEALTH, None),
        ("Elasticsearch: GET", HEALTH, {"status": "green"}),
        ("Elasticsearch: GET", HEALTH, {"cluster_name": 5}),
        ("Elasticsearch: GET", ALIAS, "mangakai-logs"),
        ("Elasticsearch: GET", ALIAS, []),
        ("Kibana: POST", IMPORT, ""),
        ("Kibana: POST", IMPORT, {}),
        ("Kibana: POST", IMPORT, {"success": "no"}),
        ("Kibana: POST", IMPORT, {"success": False}),
        ("Kibana: POST", IMPORT, {"success": True, "successCount": 1}),
        ("Kibana: POST", TEAM_IMPORT, {"success": True, "successCount": 1, "successResults": [{}]}),
    ],
)
def test_an_answer_of_another_form_names_who_gave_it(job: SetUp, who: str, path: str, body: Any) -> None:
    job.stand.faults[path] = iter([elastic.says(200, body)])
    assert job.run() == 1
    reason = r"(is no JSON object|has no \w+ \(\w+\))"
    assert re.fullmatch(rf"error: {who} {path}\S*: the answer {reason}: .*\n", job.err), job.err


@pytest.mark.parametrize("item", [5, {}, {"type": "dashboard"}, {"type": "dashboard", "id": "board", "error": 5}])
def test_a_refusal_of_another_form_is_told_as_it_is(job: SetUp, item: Any) -> None:
    job.stand.faults[IMPORT] = iter([elastic.says(200, {"success": False, "errors": [item]})])
    assert job.run() == 1
    assert job.err.startswith(f"error: Kibana: POST {IMPORT}?overwrite=true: the answer ")
    assert job.err.endswith(f": {item}\n")


def test_another_run_at_the_same_time_does_no_harm(job: SetUp) -> None:
    def overtaken(stand: Stand) -> elastic.Answer:
        stand.indices["mangakai-logs-000001"] = {"mangakai-logs": {"is_write_index": True}}
        return stand.elasticsearch(f"PUT {INDEX}", "", {})

    job.stand.faults[INDEX] = iter([overtaken])
    assert job.run() == 0, job.err
    assert "write alias mangakai-logs: is there" in job.out


def test_an_alias_that_has_rolled_over_is_left_alone(job: SetUp) -> None:
    indices = {f"mangakai-logs-00000{n}": {"mangakai-logs": {"is_write_index": n == 9}} for n in (8, 9)}
    job.stand.indices |= indices
    assert job.run() == 0, job.err
    assert job.stand.indices == indices


@pytest.mark.parametrize(
    ("indices", "reason", "remedy"),
    [
        ({"mangakai-logs": {}}, "mangakai-logs is an index, where the write alias", "DELETE /mangakai-logs"),
        ({"mangakai-logs-000001": {}}, "already exists", "add the alias to it, or delete it"),
    ],
)
def test_an_index_in_the_way_is_named_with_the_remedy(
    job: SetUp, indices: dict[str, Any], reason: str, remedy: str
) -> None:
    job.stand.indices |= indices
    assert job.run() == 1
    assert reason in job.err
    assert remedy in job.err
    assert job.stand.indices == indices


def test_a_type_that_changed_is_named_with_the_remedy(job: SetUp) -> None:
    reason = "mapper [http.response.status_code] cannot be changed from type [keyword] to [long]"
    job.stand.faults[MAPPING] = iter([elastic.says(*elastic.refusal(400, "illegal_argument_exception", reason))])
    assert job.run() == 1
    assert reason in job.err
    assert "POST /mangakai-logs/_rollover" in job.err


def test_each_object_that_kibana_refuses_is_named(job: SetUp) -> None:
    (job.folder / "1-board.ndjson").write_text(json.dumps({**BOARD, "references": [{**REFERENCE, "id": "lost"}]}))
    assert job.run() == 1
    assert re.search(r'dashboard board: \{"type": "missing_references".*"id": "lost"', job.err)
    assert f"POST {DEFAULT}" not in job.stand.asked


def test_the_default_data_view_that_people_chose_stays(job: SetUp) -> None:
    job.stand.default_view = "theirs"
    assert job.run() == 0
    assert job.stand.default_view == "theirs"


def test_a_certificate_of_another_authority_ends_it_at_once(job: SetUp) -> None:
    job.environment["CA_FILE"] = str(job.folder / "elasticsearch.crt")
    assert job.run() == 1
    assert "error: Kibana: GET /api/status: CA_FILE does not verify https://127.0.0.1" in job.err
    assert job.clock.pauses == []


def test_a_certificate_of_another_host_ends_it_at_once(job: SetUp) -> None:
    job.environment["ELASTICSEARCH_URL"] = job.environment["ELASTICSEARCH_URL"].replace("127.0.0.1", "localhost")
    assert job.run() == 1
    assert "Hostname mismatch" in job.err


def test_a_missing_ca_file_is_named(job: SetUp) -> None:
    job.environment["CA_FILE"] = "nowhere.crt"
    assert job.run() == 1
    assert job.err == "error: CA_FILE: cannot read a certificate from nowhere.crt: No such file or directory\n"


def test_it_runs_alone_on_the_standard_library_and_names_what_is_not_set() -> None:
    program = [sys.executable, "-I", "-S", str(FOLDER / "set_up.py")]
    run = subprocess.run(program, env={"REPLICAS": "1"}, capture_output=True, text=True, check=False)
    names = "ELASTICSEARCH_URL, KIBANA_URL, ELASTIC_USERNAME, ELASTIC_PASSWORD, CA_FILE, "
    names += "KIBANA_SPACE, RETENTION_DAYS"
    assert (run.returncode, run.stderr) == (1, f"error: not set in the environment: {names}\n")
