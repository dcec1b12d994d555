"""The demo application with what it sends to, and what it shows."""

import http.client
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sandbox.demo.application.running import Application, Ports
from tests.instrumentation.sinks import Sinks

PORTS = Ports(redis=28610, backend=28611, backend_metrics=28612, worker_metrics=28613)
SINK_PORT = 28614
REQUEST_SECONDS = 10


class Observed(Application):
    """The demo application, asked by tests."""

    def ask(
        self, path: str, method: str = "GET", headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> tuple[int, Any]:
        """Send the backend a request, and return status and body of its answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports.backend, timeout=REQUEST_SECONDS)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, json.loads(text) if text[:1] in b"{[" else text.decode()

    def start_celery(self, *options: str) -> None:
        """Start a worker of `celery_tasks`, and return when its page is there."""
        own = ["-A", "tests.instrumentation.celery_tasks:celery", "worker", *options]
        self._start("worker", ["-m", "celery", *own], self.ports.worker_metrics, self.ports.worker_metrics)

    def value(self, port: int, name: str, **labels: str) -> float | None:
        """Return the value of a series on a metrics page, or None where it is not there."""
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=REQUEST_SECONDS) as answer:
            text = answer.read().decode()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return float(sample.value)
        return None


@pytest.fixture
def sinks() -> Iterator[Sinks]:
    with Sinks(SINK_PORT) as sinks:
        yield sinks


@pytest.fixture
def everything(tmp_path: Path, sinks: Sinks) -> Iterator[Observed]:
    """The application with all that it can be told to do; only its Redis runs."""
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": sinks.otlp,
        "OTEL_SERVICE_NAME": "mangakai-backend",
        "OTEL_BSP_SCHEDULE_DELAY": "500",
        "SENTRY_DSN": sinks.dsn,
        "SENTRY_ENVIRONMENT": "production",
        "SENTRY_RELEASE": "mangakai@1.0.0",
        "SENTRY_TRACES_SAMPLE_RATE": "1",
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics"),
    }
    with Observed(tmp_path / "application", PORTS, environment) as application:
        application.start_redis()
        yield application


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Observed]:
    """The application that is told nothing; only its Redis runs."""
    with Observed(tmp_path / "application", PORTS) as application:
        application.start_redis()
        yield application
