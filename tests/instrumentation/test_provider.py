"""A program that has a provider of its own, or variables that are none, and calls the package."""

import json
import os
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from sandbox.layout import CHECKOUT
from tests.instrumentation.conftest import SINK_PORT
from tests.instrumentation.sinks import Sinks

SECRET = "hunter2hunter2"
OWN = """
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import {processor}

provider = TracerProvider()
provider.add_span_processor({processor}(OTLPSpanExporter({endpoint})))
trace.set_tracer_provider(provider)
"""
CALL = f"""
from fastapi import FastAPI
from opentelemetry import trace
from mangakai_instrumentation import observe

observe(FastAPI())
with trace.get_tracer("own").start_as_current_span("draw", attributes={{"password": "{SECRET}"}}):
    pass
"""


def run(program: str, **environment: str) -> list[dict[str, Any]]:
    """Run a program to its end, and return its lines."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT / "instrumentation"), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("processor", ["BatchSpanProcessor", "SimpleSpanProcessor"])
def test_what_is_sent_already_is_sent_once_and_scrubbed(sinks: Sinks, processor: str) -> None:
    run(OWN.format(processor=processor, endpoint="") + CALL, OTEL_EXPORTER_OTLP_ENDPOINT=sinks.otlp)
    assert [span.name for span in sinks.spans] == ["draw"]
    assert SECRET.encode() not in b"".join(sinks.bodies)


def test_what_is_sent_elsewhere_is_sent_to_the_collector_too(sinks: Sinks) -> None:
    elsewhere = f"'http://localhost:{SINK_PORT}/v1/traces'"
    program = OWN.format(processor="BatchSpanProcessor", endpoint=elsewhere) + CALL
    run(program, OTEL_EXPORTER_OTLP_ENDPOINT=sinks.otlp)
    assert [span.name for span in sinks.spans] == ["draw", "draw"]
    assert SECRET.encode() not in b"".join(sinks.bodies)


def test_one_of_before_records_what_fails_unsampled(sinks: Sinks) -> None:
    fail = """
from opentelemetry.trace import StatusCode
for status in (StatusCode.UNSET, StatusCode.ERROR):
    with trace.get_tracer("own").start_as_current_span(status.name) as span:
        span.set_status(status)
"""
    program = OWN.format(processor="BatchSpanProcessor", endpoint="") + CALL + fail
    run(program, OTEL_EXPORTER_OTLP_ENDPOINT=sinks.otlp, OTEL_TRACES_SAMPLER="always_off")
    assert [span.name for span in sinks.spans] == ["ERROR"]


def test_the_collector_of_traces_alone_is_enough(sinks: Sinks) -> None:
    run(CALL, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{sinks.otlp}/v1/traces")
    assert [span.name for span in sinks.spans] == ["draw"]


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        *(("SENTRY_DSN", dsn, "SENTRY_DSN is no DSN") for dsn in ("http://key@host:abc/1", "http://[::1/1", "none")),
        ("PROMETHEUS_MULTIPROC_DIR", __file__, "metrics of more than one process (PROMETHEUS_MULTIPROC_DIR)"),
        ("PROMETHEUS_MULTIPROC_DIR", "/proc/metrics", "metrics of more than one process (PROMETHEUS_MULTIPROC_DIR)"),
        ("SLOW_REQUEST_SECONDS", "soon", "SLOW_REQUEST_SECONDS is 'soon', not a number above 0"),
        ("SLOW_REQUEST_SECONDS", "-1", "SLOW_REQUEST_SECONDS is '-1', not a number above 0"),
    ],
)
def test_a_variable_that_is_none_is_one_sentence(variable: str, value: str, told: str) -> None:
    collector = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"} if variable == "SLOW_REQUEST_SECONDS" else {}
    lines = run(CALL.partition("with ")[0], **collector, **{variable: value})
    assert [line["message"] for line in lines if told in line["message"]] != []
    assert not any("error" in line for line in lines), "a traceback"
    assert len(lines) <= 2
