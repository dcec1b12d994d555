"""The demo application as processes: what they count together, whichever of them ends, and what they send."""

import contextlib
import json
import os
import signal
import socket
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from websockets.sync.client import connect

from sandbox.demo.watch import Watch
from tests.instrumentation.conftest import PORTS, Observed
from tests.instrumentation.sinks import Sinks

TASK = "mangakai.generate_manga"


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(file.parent.name))
    return found


def spawned(parent: int) -> list[int]:
    """Return the worker processes of Uvicorn."""
    return [pid for pid in children(parent) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.mark.requirement("S-109")
def test_two_workers_share_a_page_whichever_is_killed(everything: Observed) -> None:
    everything.start_backend(workers=2)
    served = {"method": "GET", "endpoint": "/api/manga/{number}", "status": "200"}

    def count() -> float | None:
        return everything.value(PORTS.backend_metrics, "http_requests_total", **served)

    for number in range(1, 41):
        assert everything.ask(f"/api/manga/{number}")[0] == 200
    # A request is counted when its answer has been sent.
    assert Watch.wait(lambda: count() == 40, 5), count()
    parent = everything.processes["backend"].pid
    workers = spawned(parent)
    assert len(workers) == 2
    assert "Address already in use" not in everything.log("backend")
    os.kill(workers[0], signal.SIGKILL)
    # Until the kernel has closed its socket, a scrape can come to nothing; not afterwards.
    assert Watch.wait(lambda: workers[0] not in children(parent), 10)
    for _ in range(20):
        assert count() == 40
    assert Watch.wait(lambda: len(set(children(parent)) - {workers[0]}) >= 2, 20)
    for number in range(1, 21):
        assert everything.ask(f"/api/manga/{number}")[0] == 200
    assert Watch.wait(lambda: count() == 60, 5), count()


def test_connections_of_killed_workers_are_not_open_any_more(everything: Observed) -> None:
    everything.start_backend(workers=2)

    def connected() -> float | None:
        return everything.value(PORTS.backend_metrics, "websocket_connections_active")

    assert connected() == 0
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            client = stack.enter_context(connect(f"ws://127.0.0.1:{PORTS.backend}/ws/progress"))
            client.send("page 7")
            assert client.recv() == "page 7"
        assert connected() == 4
        for worker in spawned(everything.processes["backend"].pid):
            os.kill(worker, signal.SIGKILL)
    assert Watch.wait(lambda: len(spawned(everything.processes["backend"].pid)) == 2, 20)
    assert Watch.wait(lambda: _answered(connected) == 0, 20)


def _answered(ask: Callable[[], float | None]) -> float | None:
    with contextlib.suppress(OSError):
        return ask()
    return None


def test_a_second_process_without_a_directory_says_so_and_works(bare: Observed) -> None:
    bare.start_backend(workers=2)
    for number in range(1, 21):
        assert bare.ask(f"/api/manga/{number}")[0] == 200

    def told() -> list[dict[str, str]]:
        lines = bare.log("backend").splitlines()
        return [json.loads(line) for line in lines if "PROMETHEUS_MULTIPROC_DIR lets" in line]

    assert Watch.wait(lambda: told() != [], 20), "the second may start after the first has answered all"
    (line,) = told()
    assert line["log.level"] == "error"
    assert "Address already in use" in line["message"]


def test_nothing_configured_breaks_nothing_and_is_said(bare: Observed) -> None:
    bare.start_backend()
    assert bare.ask("/api/manga/7") == (200, {"number": 7, "pages": 24})
    assert bare.ask("/ready")[0] == 200
    (line,) = [line for line in bare.log("backend").splitlines() if "MangakAI is observed" in line]
    for variable in ("OTEL_EXPORTER_OTLP_ENDPOINT", "SENTRY_DSN", "PROMETHEUS_MULTIPROC_DIR"):
        assert variable in line


def test_a_directory_that_cannot_be_made_is_said_and_breaks_nothing(bare: Observed) -> None:
    bare.environment["PROMETHEUS_MULTIPROC_DIR"] = "/proc/metrics"
    bare.start_backend()
    assert bare.ask("/api/manga/7")[0] == 200
    counted = {"method": "GET", "endpoint": "/api/manga/{number}", "status": "200"}
    assert Watch.wait(lambda: bare.value(PORTS.backend_metrics, "http_requests_total", **counted) == 1, 5)
    assert "(PROMETHEUS_MULTIPROC_DIR)" in next(line for line in bare.log("backend").splitlines() if "off, as" in line)


def test_the_page_is_where_it_is_told_to_be_and_nowhere_else(bare: Observed) -> None:
    bare.start_backend()
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = {tuple(fields[1].split(":")) for fields in lines if fields[3] == "0A"}
    assert {address for address, port in listening if int(port, 16) == PORTS.backend_metrics} == {"0100007F"}


def test_a_redis_that_hangs_takes_no_pod_away(bare: Observed) -> None:
    """D-154. The kubelet waits a second where nothing else is set."""
    bare.start_backend()
    assert bare.ask("/ready")[0] == 200
    bare.processes["redis"].send_signal(signal.SIGSTOP)
    try:
        found = []
        for _ in range(8):
            began = time.monotonic()
            status, body = bare.ask("/ready")
            found.append((status, body["status"], time.monotonic() - began))
            time.sleep(0.6)
    finally:
        bare.processes["redis"].send_signal(signal.SIGCONT)
    print(f"\nanswered within {max(seconds for *_, seconds in found):.2f} s")
    assert {status for status, *_ in found} == {200}
    assert found[-1][1] == "degraded"
    assert max(seconds for *_, seconds in found) < 1


def test_a_client_that_left_is_seen_by_the_server(bare: Observed) -> None:
    bare.start_backend()
    bare.set_faults("slow")
    gone = {"method": "GET", "endpoint": "/api/manga/{number}", "status": "499"}
    with socket.create_connection(("127.0.0.1", PORTS.backend), timeout=5) as client:
        client.sendall(b"GET /api/manga/7 HTTP/1.1\r\nHost: backend\r\n\r\n")
        time.sleep(0.5)
    assert Watch.wait(lambda: bare.value(PORTS.backend_metrics, "http_requests_total", **gone) == 1, 10)


@pytest.mark.requirement("S-102", "S-103", "S-104", "S-105", "S-108")
def test_tasks_are_counted_wherever_they_run_and_end(everything: Observed) -> None:
    everything.start_backend()
    everything.start_worker()

    def task(status: str) -> float | None:
        return everything.value(PORTS.worker_metrics, "celery_task_total", task_name=TASK, status=status)

    def generation(status: str) -> float | None:
        return everything.value(PORTS.worker_metrics, "manga_generation_total", status=status)

    def active() -> float | None:
        return everything.value(PORTS.worker_metrics, "celery_active_tasks")

    assert (task("SUCCESS"), task("FAILURE"), generation("success"), generation("failure")) == (0, 0, 0, 0)
    for outcome in ("success", "success", "failure", "retry", "killed"):
        assert everything.ask(f"/api/manga?outcome={outcome}", "POST")[0] == 202
    assert Watch.wait(lambda: (task("SUCCESS"), task("FAILURE")) == (3, 2), 30), everything.log("worker")[-3000:]
    assert (generation("success"), generation("failure")) == (3, 2)
    # The child that takes the killed one's place forgets what that did.
    assert Watch.wait(lambda: active() == 0, 10)
    everything.ask("/api/manga?seconds=2", "POST")
    assert Watch.wait(lambda: active() == 1, 5)
    assert Watch.wait(lambda: active() == 0, 5)
    # Six runs: one task ran twice, one did not end.
    assert everything.value(PORTS.worker_metrics, "celery_task_duration_seconds_count", task_name=TASK) == 6


@pytest.mark.requirement("S-106")
def test_the_queue_is_measured_with_and_without_a_worker(everything: Observed) -> None:
    everything.start_backend()

    def length() -> float | None:
        return everything.value(PORTS.backend_metrics, "celery_queue_length", queue="celery")

    assert length() == 0
    for _ in range(7):
        everything.ask("/api/manga", "POST")
    assert length() == 7
    everything.start_worker()
    assert Watch.wait(lambda: length() == 0, 20)
    everything.processes["redis"].send_signal(signal.SIGSTOP)
    try:
        assert length() is None
    finally:
        everything.processes["redis"].send_signal(signal.SIGCONT)
    # The question that hung is not asked again before it has ended.
    assert Watch.wait(lambda: length() == 0, 10)


@pytest.mark.requirement("S-093")
def test_spans_of_backend_and_forked_children_are_one_trace(everything: Observed, sinks: Sinks) -> None:
    everything.start_backend()
    everything.start_worker()
    everything.ask("/api/manga?pages=2", "POST")
    wanted = {"POST /api/manga", f"apply_async/{TASK}", f"run/{TASK}", "draw"}
    assert Watch.wait(lambda: wanted <= {span.name for span in sinks.spans}, 15), {span.name for span in sinks.spans}
    spans = [span for span in sinks.spans if span.name in wanted]
    assert len({span.trace_id for span in spans}) == 1
    assert len([span for span in spans if span.name == "draw"]) == 2
    by_name = {span.name: span for span in spans}
    assert by_name["draw"].parent_span_id == by_name[f"run/{TASK}"].span_id


def test_the_last_spans_are_sent_before_the_end(everything: Observed, sinks: Sinks) -> None:
    """D-125. Uvicorn dies by the signal that it got, Celery's children without any exit handler."""
    everything.environment["OTEL_BSP_SCHEDULE_DELAY"] = "600000"
    everything.start_backend()
    everything.start_worker()
    everything.ask("/api/manga", "POST")
    assert Watch.wait(lambda: "succeeded" in everything.log("worker"), 15), everything.log("worker")
    assert sinks.spans == []
    everything.end("worker")
    assert {"draw"} <= {span.name for span in sinks.spans}
    everything.end("backend")
    assert {"POST /api/manga"} <= {span.name for span in sinks.spans}


def test_probes_and_polling_make_no_traces(everything: Observed, sinks: Sinks) -> None:
    everything.start_backend()
    everything.start_worker()
    for path in ("/live", "/ready", "/health", "/ready"):
        assert everything.ask(path)[0] == 200
    with urllib.request.urlopen(f"http://127.0.0.1:{PORTS.backend_metrics}/metrics", timeout=5) as page:
        assert page.status == 200
    everything.ask("/api/manga/7")
    assert Watch.wait(lambda: "GET /api/manga/{number}" in {span.name for span in sinks.spans}, 10)
    everything.end("worker")
    everything.end("backend")
    roots = {span.name for span in sinks.spans if not span.parent_span_id}
    assert roots == {"GET /api/manga/{number}"}
    statement = next(span for span in sinks.spans if span.name.startswith("SELECT"))
    assert statement.parent_span_id
