"""Jaeger's collector and query, with what the operator gives them, on a real index: a span that is sent is found."""

import contextlib
import dataclasses
import datetime
import json
import re
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from components.elastic import users as access
from components.settings.traces import TracesSettings
from components.traces import indices
from sandbox.demo.application.running import Application, Ports
from sandbox.demo.watch import Watch
from tests.catalogue import catalogue
from tests.logs import opensearch
from tests.sandbox import jaeger_processes as jaeger
from tests.sandbox.conftest import Api
from tests.sandbox.recorder import Recorder

APPLICATION_PORTS = Ports(redis=28490, backend=28491, backend_metrics=28492, worker_metrics=28493)
DAY = "mangakai-jaeger-span-*"
PARTS = ("collector", "query", "es-index-cleaner")
# The privilege of Elasticsearch that each request needs: elastic.co/docs, "Elasticsearch privileges".
NEEDED = {
    r"(GET|HEAD) /": "monitor",
    r"PUT /_(index_)?template/mangakai-jaeger-(span|service)": "manage_index_templates",
    r"POST /_bulk": "auto_configure index",
    r"(GET|POST) /_msearch(\?.*)?": "read",
    r"POST /mangakai-jaeger-[^/]+/_search(\?.*)?": "read",
    r"GET /mangakai-jaeger-\*(\?.*)?": "view_index_metadata",
    r"DELETE /mangakai-jaeger-[^/]+": "delete_index",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("traces")


@pytest.fixture(scope="module")
def storage(folder: Path) -> Iterator["Storage"]:
    with Storage(folder / "index") as storage:
        yield storage


class Storage:
    """An index that can be away for a while, and has its data when it is back."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder, self._stack = folder, contextlib.ExitStack()
        self.node = self._stack.enter_context(opensearch.running(folder))

    def __enter__(self) -> "Storage":
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Be away."""
        self._stack.close()

    def come_back(self) -> None:
        """Be there again, on the same port."""
        self._stack = contextlib.ExitStack()
        self._stack.enter_context(opensearch.running(self._folder, self.node.port))


@pytest.fixture(scope="module")
def containers(api: Api, folder: Path, storage: Storage) -> dict[str, jaeger.Container]:
    return {part: jaeger.container(api, part, folder / part, storage.node.url) for part in PARTS}


@pytest.fixture
def both(containers: dict[str, jaeger.Container], folder: Path) -> Iterator[None]:
    with containers["collector"].running(folder / "collector.log"), containers["query"].running(folder / "query.log"):
        yield


@pytest.mark.usefixtures("both")
@pytest.mark.requirement("S-004", "S-086")
def test_a_span_that_is_sent_is_found(storage: Storage) -> None:
    began = time.monotonic()
    status, trace = jaeger.send(3)
    assert status == 200
    assert Watch.wait(lambda: len(jaeger.found(trace)) == 3, 15)
    print(f"\nfound {time.monotonic() - began:.1f} s after it was sent")
    (span, *_) = jaeger.found(trace)
    assert {"key": "http.route", "type": "string", "value": "/api/manga/{id}"} in span["tags"]
    indices = storage.node.ask("GET", f"/_cat/indices/{DAY}?format=json")
    assert {index["rep"] for index in indices} == {"0"}, "a replica for which there is no node"


def test_a_trace_is_found_by_its_id_for_as_long_as_it_is_kept(
    containers: dict[str, jaeger.Container], folder: Path, tmp_path: Path
) -> None:
    """Of those of the last day, midnight decides: the cleaner comes shortly before it."""
    ages = (1, 25, 73, 80, 120, 143)
    back = f"--es.max-span-age={indices.looked_back(7)}"
    with (
        containers["collector"].running(folder / "collector.log"),
        containers["query"].running(tmp_path / "query.log", [back]),
    ):
        traces = {age: jaeger.send(2, age)[1] for age in ages}
        Watch.wait(lambda: all(jaeger.found(trace) for trace in traces.values()), 30)
        assert [age for age in ages if len(jaeger.found(traces[age])) != 2] == []


def test_the_longest_retention_hides_no_service(
    containers: dict[str, jaeger.Container], folder: Path, tmp_path: Path
) -> None:
    """Elasticsearch refuses a request that names too many days."""
    (longest,) = (one.le for one in TracesSettings.model_fields["retention_days"].metadata if hasattr(one, "le"))
    back = f"--es.max-span-age={indices.looked_back(longest)}"
    with containers["collector"].running(folder / "collector.log"):
        _, trace = jaeger.send(2, 99 * 24)
        with containers["query"].running(tmp_path / "query.log", [back]):
            assert Watch.wait(lambda: "mangakai-backend" in jaeger.services(), 15)
            assert Watch.wait(lambda: len(jaeger.found(trace)) == 2, 15)


@pytest.mark.usefixtures("both")
def test_an_index_of_a_day_is_one_shard(storage: Storage) -> None:
    jaeger.send(1)
    assert Watch.wait(lambda: "mangakai-backend" in jaeger.services(), 15)
    indices = storage.node.ask("GET", "/_cat/indices/mangakai-jaeger-*?format=json")
    assert {index["pri"] for index in indices} == {"1"}


def test_a_changed_sampling_ratio_reaches_a_running_collector(
    containers: dict[str, jaeger.Container], folder: Path
) -> None:
    (file,) = (folder / "collector").rglob("sampling.json")
    as_given = file.read_text()
    with containers["collector"].running(folder / "collector.log"):
        assert jaeger.sampling() == 0.1
        began = time.monotonic()
        file.write_text(as_given.replace("0.1", "0.5"))
        try:
            assert Watch.wait(lambda: jaeger.sampling() == 0.5, 60)
        finally:
            file.write_text(as_given)
    print(f"\nasked for {time.monotonic() - began:.0f} s until the new ratio was answered")


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize("part", ["collector", "query"])
def test_the_metrics_of_rules_and_dashboards_are_there(part: str) -> None:
    jaeger.send(1)
    jaeger.services()
    families = text_string_to_metric_families(jaeger.metrics(part))
    shown = {sample.name: set(sample.labels) for family in families for sample in family.samples}
    wanted = catalogue.CATALOGUE["jobs"][f"jaeger-{part}"]["metrics"]
    assert wanted
    assert {name: shown.get(name) for name in wanted} == {name: set(labels) for name, labels in wanted.items()}


@pytest.mark.usefixtures("both")
def test_reads_that_the_storage_does_not_answer_are_counted(storage: Storage) -> None:
    """What JaegerReadsFailing sees."""

    def failed() -> float:
        families = text_string_to_metric_families(jaeger.metrics("query"))
        samples = [sample for family in families for sample in family.samples]
        return sum(
            sample.value
            for sample in samples
            if sample.name == "jaeger_storage_requests_total"
            and sample.labels["result"] == "err"
            and sample.labels["operation"] != "get_trace"
        )

    assert failed() == 0
    storage.leave()
    try:
        for _ in range(3):
            assert jaeger.services() == []
    finally:
        storage.come_back()
    assert failed() == 3


@pytest.mark.usefixtures("both")
def test_what_is_accepted_while_the_storage_is_away_is_found_later(storage: Storage) -> None:
    storage.leave()
    sent = [jaeger.send(10) for _ in range(100)]
    assert {status for status, _ in sent} == {200}
    time.sleep(5)
    storage.come_back()
    assert Watch.wait(lambda: len(jaeger.found(sent[-1][1])) == 10, 90)
    assert Watch.wait(lambda: all(len(jaeger.found(trace)) == 10 for _, trace in sent), 30)


@pytest.mark.usefixtures("both")
@pytest.mark.requirement("S-092")
def test_the_application_with_the_environment_of_its_pods_is_found(api: Api, folder: Path) -> None:
    given = api.config_map("mangakai-observability", "mangakai-prod")
    assert given["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://mangakai-jaeger-collector.monitoring.svc:4318"
    here = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{jaeger.OTLP}",
        "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
    }
    with Application(folder / "application", APPLICATION_PORTS, given | here) as application:
        application.start_redis()
        application.start_backend()
        application.start_worker()
        # A tenth of them is sampled: that none is happens once in 40,000 times.
        for _ in range(100):
            urllib.request.urlopen(f"http://127.0.0.1:{APPLICATION_PORTS.backend}/api/manga", b"", timeout=10).close()
        assert Watch.wait(lambda: bool(jaeger.search("mangakai-backend", "draw")), 30)
        traces = jaeger.search("mangakai-backend", "draw")
        wanted = {"POST /api/manga", "apply_async/mangakai.generate_manga", "run/mangakai.generate_manga", "draw"}
        assert Watch.wait(lambda: wanted <= {span["operationName"] for span in jaeger.found(traces[0])}, 15)
    print(f"\n{len(traces)} of 100 requests are found")
    assert len(traces) < 50
    process = jaeger.process(traces[0])
    assert process["k8s.namespace.name"] == "mangakai-prod"
    assert process["k8s.cluster.name"] == "mangakai-local"


def test_the_index_cleaner_keeps_the_days_of_the_setting(
    containers: dict[str, jaeger.Container], storage: Storage
) -> None:
    today = datetime.datetime.now(datetime.UTC).date()
    days = {age: f"mangakai-jaeger-span-{today - datetime.timedelta(age)}" for age in range(1, 12)}
    others = ("mangakai-jaeger-span-archive", f"elsewhere-jaeger-span-{today - datetime.timedelta(30)}")
    there = {found["index"] for found in storage.node.ask("GET", "/_cat/indices/*jaeger-span-*?format=json")}
    for index in {*days.values(), *others} - there:
        storage.node.ask("PUT", f"/{index}")
    with Recorder(storage.node.port, _created_on_the_day_of_its_name) as recorder:
        _clean(containers, recorder, "7")
    left = {found["index"] for found in storage.node.ask("GET", "/_cat/indices/*jaeger-span-*?format=json")}
    # Seven days with today.
    assert left & set(days.values()) == {days[age] for age in range(1, 7)}
    assert set(others) <= left


def _created_on_the_day_of_its_name(answer: bytes) -> bytes:
    """Say when each index was made: no index can be told."""
    indices = json.loads(answer)
    for name, index in indices.items():
        if day := re.search(r"\d{4}-\d\d-\d\d$", name):
            made = datetime.datetime.fromisoformat(f"{day[0]}T00:00:01+00:00")
            index["settings"]["index.creation_date"] = str(round(made.timestamp() * 1000))
    return json.dumps(indices).encode()


def _clean(containers: dict[str, jaeger.Container], recorder: Recorder, days: str) -> None:
    dataclasses.replace(containers["es-index-cleaner"], arguments=(days, recorder.url)).run()


def test_jaegers_user_may_do_what_jaeger_does_and_no_more(
    containers: dict[str, jaeger.Container], folder: Path, storage: Storage
) -> None:
    with Recorder(storage.node.port) as recorder:
        there = [f"--es.server-urls={recorder.url}"]
        with (
            containers["collector"].running(folder / "collector.log", there),
            containers["query"].running(folder / "query.log", there),
        ):
            _, trace = jaeger.send(3)
            assert Watch.wait(lambda: len(jaeger.found(trace)) == 3, 15)
            assert "mangakai-backend" in jaeger.services()
            assert trace in jaeger.search("mangakai-backend", "span 0")
    with Recorder(storage.node.port, _created_on_the_day_of_its_name) as cleaning:
        storage.node.ask("PUT", "/mangakai-jaeger-span-2024-01-01")
        _clean(containers, cleaning, "7")
    used: set[str] = set()
    for method, path in sorted(recorder.asked | cleaning.asked):
        rights = {right for request, right in NEEDED.items() if re.fullmatch(request, f"{method} {path}")}
        assert len(rights) == 1, f"what does {method} {path} need?"
        used |= set(rights.pop().split())
    assert used == {"monitor", "manage_index_templates", *access.TRACE_PRIVILEGES}


def test_who_sends_more_than_the_collector_can_keep_is_told(
    containers: dict[str, jaeger.Container], folder: Path, storage: Storage
) -> None:
    """Nothing is accepted and then dropped: the sender hears 503, which OpenTelemetry's exporters try again."""
    with containers["collector"].running(folder / "full.log"):
        assert jaeger.send(1)[0] == 200
        storage.leave()
        answers = [jaeger.send(5)[0] for _ in range(2000)]
        storage.come_back()
    full = answers.index(503)
    assert set(answers[:full]) == {200}
    assert set(answers[full:]) == {503}
    print(f"\n{full} batches fit")


@pytest.mark.parametrize(
    ("part", "wrong"),
    [
        ("collector", "--es.num-replica=0"),
        ("collector", "--es.server-urls=http://127.0.0.1:1"),
        ("query", "--es.tls.ca=/nowhere/ca.crt"),
    ],
)
def test_a_wrong_option_is_noticed(
    containers: dict[str, jaeger.Container], tmp_path: Path, part: str, wrong: str
) -> None:
    with pytest.raises(AssertionError, match="does not start"), containers[part].running(tmp_path / "log", [wrong]):
        pass


def test_a_query_that_looks_elsewhere_finds_nothing(
    containers: dict[str, jaeger.Container], folder: Path, tmp_path: Path
) -> None:
    with containers["collector"].running(folder / "collector.log"):
        with containers["query"].running(tmp_path / "log", ["--es.index-prefix=other"]):
            _, trace = jaeger.send(1)
            time.sleep(5)
            assert jaeger.found(trace) == []
        with containers["query"].running(folder / "query.log"):
            assert Watch.wait(lambda: len(jaeger.found(trace)) == 1, 10)
