"""The metrics of the guide, with its names and labels, and the page on which Prometheus reads them.

Where PROMETHEUS_MULTIPROC_DIR names a directory, the page of any process shows the sum of all that share it (D-141).
"""

import bisect
import contextlib
import functools
import logging
import os
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import billiard
import prometheus_client
from opentelemetry import trace
from opentelemetry.trace import SpanContext
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, values
from prometheus_client.exposition import ThreadingWSGIServer, make_wsgi_app
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.samples import Exemplar, Sample

from . import directory

# Seconds. The thresholds of the rules and what lies around them (D-138, D-139).
REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 5, 7.5, 10, 30)
TASK_BUCKETS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600)

_LOGGER = logging.getLogger(__name__)


def _process() -> str:
    """Return what names this process: of a child of Celery's pool its place, which the next one takes over."""
    return _name(os.getpid())


@functools.cache
def _name(pid: int) -> str:
    place = getattr(billiard.current_process(), "index", None)
    return str(pid) if place is None else f"{os.getppid()}-{place}"


def _holder() -> str:
    """Return what names this process as one that holds something, of which nothing is left when it is killed."""
    return f"{os.getpid()}-held"


def _is_shared() -> bool:
    """Return whether there is a directory for the processes to share, or one can be made."""
    path = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
    with contextlib.suppress(OSError):
        Path(path).mkdir(parents=True, exist_ok=True)
    return os.path.isdir(path) and os.access(path, os.W_OK)


IS_MULTIPROCESS = _is_shared()
if hasattr(os, "posix_fallocate"):
    values.MmapedDict = directory.Allocated  # type: ignore[attr-defined]
# The library has looked at the variable alone.
_COUNTED = values.MultiProcessValue(_process) if IS_MULTIPROCESS else values.MutexValue
_HELD = values.MultiProcessValue(_holder) if IS_MULTIPROCESS else values.MutexValue
values.ValueClass = _COUNTED
# Else each counter has a second series, of when it began.
prometheus_client.disable_created_metrics()


def _held(name: str, what: str) -> Gauge:
    values.ValueClass = _HELD
    try:
        return Gauge(name, what, multiprocess_mode="livesum")
    finally:
        values.ValueClass = _COUNTED


REQUEST_COUNT = Counter("http_requests_total", "Total HTTP requests", ["method", "endpoint", "status"])
REQUEST_DURATION = Histogram(
    "http_request_duration_seconds", "HTTP request duration", ["method", "endpoint"], buckets=REQUEST_BUCKETS
)
ACTIVE_CONNECTIONS = _held("websocket_connections_active", "Active WebSocket connections")
CELERY_TASK_COUNT = Counter("celery_task_total", "Total Celery tasks", ["task_name", "status"])
CELERY_TASK_DURATION = Histogram(
    "celery_task_duration_seconds", "Celery task duration", ["task_name"], buckets=TASK_BUCKETS
)
MANGA_GENERATION_COUNT = Counter("manga_generation_total", "Total manga generations", ["status"])
ACTIVE_TASKS = _held("celery_active_tasks", "Number of active Celery tasks")
# A container that starts again where the directory is a volume has the ids of processes that have been.
ACTIVE_CONNECTIONS.set(0)
ACTIVE_TASKS.set(0)


@functools.cache
def workers() -> Gauge:
    """Return the number of workers, 0 where none has begun. An application without Celery has no such metric."""
    return _held("celery_workers", "Number of live Celery workers")


EXPOSED = CollectorRegistry() if IS_MULTIPROCESS else REGISTRY


class _AllProcesses(MultiProcessCollector):
    """The metrics of all processes that share the directory: of killed ones what they counted, but not what they held.

    The library keeps no exemplars here; those of the requests that this very process has answered are added.
    """

    exemplars: dict[tuple[str, str, float], Exemplar] = {}

    def collect(self) -> Iterator[Metric]:
        shared = Path(self._path)
        with directory.alone(shared):
            directory.tidy(shared)
            # One that is empty is just being made.
            files = [str(file) for file in shared.glob("*.db") if file.stat().st_size]
            found: list[Metric] = list(self.merge(files))
        for metric in found:
            if metric.name == "http_request_duration_seconds":
                metric.samples = [self._with_exemplar(sample) for sample in metric.samples]
            yield metric

    def _with_exemplar(self, sample: Sample) -> Sample:
        labels = sample.labels
        if "le" not in labels:
            return sample
        return sample._replace(exemplar=self.exemplars.get((labels["method"], labels["endpoint"], float(labels["le"]))))


if IS_MULTIPROCESS:
    EXPOSED.register(_AllProcesses(None))


def observe_request(method: str, endpoint: str, status: int, seconds: float, span: SpanContext) -> None:
    """Count a request.

    Args:
        method: GET, POST, …
        endpoint: the template of its route.
        status: of the answer.
        seconds: that it took.
        span: of its trace: where that is sampled, the exemplar that leads from the graph to it.
    """
    REQUEST_COUNT.labels(method, endpoint, status).inc()
    exemplar = {"trace_id": trace.format_trace_id(span.trace_id)} if span.trace_flags.sampled else None
    REQUEST_DURATION.labels(method, endpoint).observe(seconds, exemplar)
    if IS_MULTIPROCESS and exemplar:
        bucket = [*REQUEST_BUCKETS, float("inf")][bisect.bisect_left(REQUEST_BUCKETS, seconds)]
        _AllProcesses.exemplars[method, endpoint, bucket] = Exemplar(exemplar, seconds)


def start_at_zero(routes: Iterable[tuple[str, str]] = (), tasks: Iterable[str] = ()) -> None:
    """Show what has not happened yet as 0 (D-145): of what comes into being as 1, `rate` does not see the first.

    Args:
        routes: method and template of each.
        tasks: the names of Celery's tasks.
    """
    for method, endpoint in routes:
        for code in (200, 500):
            REQUEST_COUNT.labels(method, endpoint, code)
        REQUEST_DURATION.labels(method, endpoint)
    for task in tasks:
        for status in ("SUCCESS", "FAILURE"):
            CELERY_TASK_COUNT.labels(task, status)
        CELERY_TASK_DURATION.labels(task)
    for status in ("success", "failure"):
        MANGA_GENERATION_COUNT.labels(status)


def serve() -> WSGIServer | None:
    """Show the metrics on METRICS_ADDRESS, by default port 8001 of all addresses, until what is returned ends (S-109).

    Processes that share a directory share the port too, so that the page is there whichever of them is killed (D-142).
    Without one, the first has the port, and the others say so.
    """
    host, _, port = os.environ.get("METRICS_ADDRESS", "0.0.0.0:8001").rpartition(":")
    try:
        kind = _IPv6Server if ":" in host else _Server
        server = make_server(host.strip("[]"), int(port), make_wsgi_app(EXPOSED), kind, _Handler)
    except (OSError, ValueError, OverflowError) as error:
        _LOGGER.error(
            "The metrics of process %s are not shown on %s:%s (%s). METRICS_ADDRESS names another address; where "
            "another worker has this one, PROMETHEUS_MULTIPROC_DIR lets it show all workers",
            os.getpid(), host, port, error,
        )  # fmt: skip
        return None
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="metrics", daemon=True).start()
    return server


class _Server(ThreadingWSGIServer):
    allow_reuse_port = IS_MULTIPROCESS


class _IPv6Server(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Log no scrape."""
