"""How much later a worker ends while the collector is away."""

import socket
import time

import pytest
from celery import Celery

from sandbox.demo.watch import Watch
from tests.instrumentation.conftest import Observed
from tests.instrumentation.test_celery import BROKER

LATER_SECONDS = 2
PORT = 28626


def seconds_to_end(application: Observed, collector: str) -> float:
    """Return how long a worker takes to end that has drawn pages, and sends spans to `collector`: the less of two."""
    application.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector
    return min(_seconds_to_end(application) for _ in range(2))


def _seconds_to_end(application: Observed) -> float:
    application.start_worker()
    already = application.log("worker").count("succeeded")
    for _ in range(4):
        Celery("client", broker=BROKER, backend=BROKER).send_task("mangakai.generate_manga", [3])
    assert Watch.wait(lambda: application.log("worker").count("succeeded") == already + 4, 60), application.log(
        "worker"
    )
    began = time.monotonic()
    application.end("worker")
    return time.monotonic() - began


@pytest.mark.long
@pytest.mark.parametrize("collector", ["refuses", "hangs"])
def test_a_collector_that_is_away_costs_two_seconds_at_most(bare: Observed, collector: str) -> None:
    with socket.create_server(("127.0.0.1", PORT)) as hanging:
        without = seconds_to_end(bare, "")
        if collector == "refuses":
            hanging.close()
        away = seconds_to_end(bare, f"http://127.0.0.1:{PORT}")
    print(f"\nended in {without:.1f} s without a collector, in {away:.1f} s with one that {collector}")
    assert away - without <= LATER_SECONDS
