"""The one line of Celery, in the workers and in whatever else sends tasks."""

import logging
import time
from collections.abc import Collection, Iterator
from typing import Any

from celery import Celery, signals
from kombu.exceptions import ChannelError
from opentelemetry.instrumentation.utils import suppress_instrumentation
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from . import logs, metrics, process, tracing

BROKER_SECONDS = 2
_LOGGER = logging.getLogger(__name__)


def observe_celery(
    app: Celery, *, generation_tasks: Collection[str] = (), database: Engine | AsyncEngine | None = None
) -> None:
    """Observe a Celery application: metrics on port 8001 of its workers, traces, errors, logs.

    Call it once, where the application is made, which backend and workers import: the length of its queues then is
    known as long as one of them lives.

    Args:
        app: the application.
        generation_tasks: the names of the tasks that are a manga's generation, each success or failure of which counts
            in `manga_generation_total`.
        database: whose statements are traced.
    """
    process.set_up()
    if database is not None:
        tracing.trace_database(database)
    _Tasks(generation_tasks).connect()
    metrics.EXPOSED.register(QueueLength(app))


class _Tasks:
    """Metrics from Celery's signals of its tasks (D-140). A task that is retried has neither succeeded nor failed."""

    def __init__(self, generation_tasks: Collection[str]) -> None:
        self._generation_tasks = frozenset(generation_tasks)
        self._began: dict[str, float] = {}

    def connect(self) -> None:
        for signal, receiver in (
            (signals.setup_logging, self._on_logging),
            (signals.worker_ready, self._on_worker),
            (signals.worker_process_init, self._on_child),
            (signals.task_prerun, self._on_start),
            (signals.task_postrun, self._on_end),
            (signals.task_success, self._on_success),
            (signals.task_failure, self._on_failure),
            (signals.worker_process_shutdown, self._on_shutdown),
            (signals.worker_shutdown, self._on_shutdown),
        ):
            signal.connect(receiver, weak=False)

    def _on_logging(self, loglevel: int | str, **_: Any) -> None:
        logs.set_up(loglevel)

    def _on_worker(self, sender: Any, **_: Any) -> None:
        metrics.start_at_zero(tasks=[name for name in sender.app.tasks if not name.startswith("celery.")])
        metrics.serve()
        if not metrics.IS_MULTIPROCESS and sender.pool.__module__ == "celery.concurrency.prefork":
            _LOGGER.warning("No task of this worker is counted: PROMETHEUS_MULTIPROC_DIR is not set")

    def _on_child(self, **_: Any) -> None:
        """Forget what the child did whose place this one takes: it was killed."""
        metrics.ACTIVE_TASKS.set(0)

    def _on_start(self, task_id: str, **_: Any) -> None:
        self._began[task_id] = time.perf_counter()
        metrics.ACTIVE_TASKS.inc()

    def _on_end(self, task_id: str, task: Any, **_: Any) -> None:
        if (began := self._began.pop(task_id, None)) is not None:
            metrics.ACTIVE_TASKS.dec()
            metrics.CELERY_TASK_DURATION.labels(task.name).observe(time.perf_counter() - began)

    def _on_success(self, sender: Any, **_: Any) -> None:
        self._count(sender.name, "SUCCESS")

    def _on_failure(self, sender: Any, **_: Any) -> None:
        """Count a failure: in the child that ran the task, or in the main process for one that was killed."""
        self._count(sender.name, "FAILURE")

    def _count(self, task: str, status: str) -> None:
        metrics.CELERY_TASK_COUNT.labels(task, status).inc()
        if task in self._generation_tasks:
            metrics.MANGA_GENERATION_COUNT.labels(status.lower()).inc()

    def _on_shutdown(self, **_: Any) -> None:
        process.flush()


class QueueLength(Collector):
    """`celery_queue_length` (S-106): what waits in each queue of an application, asked of the broker at each scrape.

    A broker that does not answer within BROKER_SECONDS has no length: a gap in the graph, not the last value.
    """

    def __init__(self, app: Celery) -> None:
        self._app = app

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Return the metric without a value, so that to register it asks nobody."""
        yield GaugeMetricFamily("celery_queue_length", "Celery queue length", labels=["queue"])

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return the metric with a value for each queue."""
        (metric,) = self.describe()
        try:
            with suppress_instrumentation(), self._app.connection_for_read(connect_timeout=BROKER_SECONDS) as broker:
                limits = {"socket_timeout": BROKER_SECONDS, "socket_connect_timeout": BROKER_SECONDS}
                broker.transport_options = {**broker.transport_options, **limits}
                for queue in self._app.amqp.queues:
                    metric.add_metric([queue], _length(broker, queue))
        except Exception as error:
            _LOGGER.warning("The broker does not say how long the queues are", exc_info=error)
        yield metric


def _length(broker: Any, queue: str) -> int:
    with broker.channel() as channel:
        try:
            return int(channel.queue_declare(queue, passive=True).message_count)
        except ChannelError:
            # A queue that has never held anything.
            return 0
