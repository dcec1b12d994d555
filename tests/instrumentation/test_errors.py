"""Exceptions of the demo application on their way to Sentry: all that helps, and nothing that must not be known."""

import json
import time
from typing import Any

import pytest

from sandbox.demo.application.running import PASSWORD
from sandbox.demo.watch import Watch
from tests.instrumentation.conftest import PORTS, Observed
from tests.instrumentation.sinks import Sinks

CANARY = "canary7f3a9e"
HEADERS = {
    "Authorization": f"Bearer {CANARY}",
    "Cookie": f"session={CANARY}",
    "X-Api-Key": CANARY,
    "X-Forwarded-For": CANARY,
    "Content-Type": "application/json",
    "User-Agent": "reader/1",
}


def fail(application: Observed) -> None:
    """Let a request fail that brings a secret in every way that it can."""
    application.set_faults("errors")
    body = json.dumps({"prompt": CANARY}).encode()
    assert application.ask(f"/api/manga/1?token={CANARY}&q={CANARY}", headers=HEADERS, body=body)[0] == 500


@pytest.mark.requirement("S-006", "S-096", "S-097")
def test_an_exception_arrives_with_its_trace_and_without_secrets(everything: Observed, sinks: Sinks) -> None:
    everything.start_backend()
    fail(everything)
    assert Watch.wait(lambda: bool(sinks.events and sinks.spans and sinks.sentry_spans), 10)
    time.sleep(1)
    (event,) = sinks.events
    (exception,) = event["exception"]["values"]
    assert exception["type"] == "RuntimeError"
    assert exception["value"] == f"manga 1 is not in redis://[Filtered]@127.0.0.1:{PORTS.redis}/0"
    assert exception["stacktrace"]["frames"][-1]["function"] == "read_manga"
    assert event["environment"] == "production"
    assert event["release"] == "mangakai@1.0.0"
    assert event["transaction"] == "/api/manga/{number}"
    assert event["request"]["method"] == "GET"
    assert event["request"]["headers"]["user-agent"] == "reader/1"
    leaks = [body[:200] for body in sinks.bodies if CANARY.encode() in body or PASSWORD.encode() in body]
    assert leaks == []
    root = next(span for span in sinks.spans if span.name == "GET /api/manga/{number}")
    assert event["contexts"]["trace"]["trace_id"] == root.trace_id.hex() == logged(everything, "backend")["trace"]["id"]
    assert root.trace_id in {span.trace_id for span in sinks.sentry_spans}


def logged(application: Observed, name: str) -> dict[str, Any]:
    """Return the line of the exception that a process has logged."""
    lines = [json.loads(line) for line in application.log(name).splitlines() if line.startswith("{")]
    found: dict[str, Any] = next(line for line in lines if "error" in line)
    return found


@pytest.mark.requirement("S-006", "S-096")
def test_a_failed_task_arrives_and_a_retried_one_does_not(everything: Observed, sinks: Sinks) -> None:
    everything.start_backend()
    everything.start_worker()
    everything.ask("/api/manga?outcome=retry", "POST")
    everything.ask("/api/manga?outcome=failure", "POST")
    assert Watch.wait(lambda: len(sinks.events) == 1, 15)
    time.sleep(1)
    (event,) = sinks.events
    (exception,) = event["exception"]["values"]
    assert exception["type"] == "GenerationError"
    assert exception["value"] == "page 0 cannot be drawn: broker_password=[Filtered]"
    assert Watch.wait(lambda: "draw" in {span.name for span in sinks.spans}, 5)
    failed = next(span for span in sinks.spans if span.name == "draw" and span.status.code == 2)
    line = logged(everything, "worker")
    assert event["contexts"]["trace"]["trace_id"] == failed.trace_id.hex() == line["trace"]["id"]
    assert "in draw" in line["error"]["stack_trace"]
    assert (line["data"]["args"], line["data"]["kwargs"]) == ("[Filtered]", "[Filtered]")
    assert PASSWORD not in everything.log("worker")


def test_a_share_of_none_sends_sentry_no_trace(everything: Observed, sinks: Sinks) -> None:
    everything.environment["SENTRY_TRACES_SAMPLE_RATE"] = "0"
    everything.start_backend()
    everything.ask("/api/manga/7")
    everything.end("backend")
    assert sinks.spans
    assert sinks.sentry_spans == []


def test_a_dsn_that_is_none_is_said_and_breaks_nothing(everything: Observed, sinks: Sinks) -> None:
    everything.environment |= {"SENTRY_DSN": "https://your-dsn@sentry.io/project-id", "SENTRY_TRACES_SAMPLE_RATE": "x"}
    everything.start_backend()
    fail(everything)
    lines = [json.loads(line) for line in everything.log("backend").splitlines()]
    (line,) = [line for line in lines if "SENTRY_DSN is no DSN" in line["message"]]
    assert line["log.level"] == "error"
    assert sinks.events == []


def test_who_does_not_answer_delays_neither_requests_nor_the_end(everything: Observed, sinks: Sinks) -> None:
    sinks.stop()
    everything.start_backend()
    fail(everything)
    everything.set_faults()
    for number in range(1, 20):
        assert everything.ask(f"/api/manga/{number}")[0] == 200
    began = time.monotonic()
    everything.end("backend")
    took = time.monotonic() - began
    print(f"\nended in {took:.1f} s")
    assert took < 12
