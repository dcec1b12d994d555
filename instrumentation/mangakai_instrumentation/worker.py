"""The one line of Celery, in the workers and in whatever else sends tasks."""

import logging
import time
from collections import deque
from collections.abc import Collection
from typing import Any

from celery import Celery, signals, states
from celery.bootsteps import StartStopStep

from . import logs, metrics, page, process, queues

# What stands for the name of a task that no worker knows: of such names there may be any number.
UNKNOWN = "unknown"
_LOGGER = logging.getLogger(__name__)


def observe_celery(app: Celery, *, generation_tasks: Collection[str] = ()) -> None:
    """Observe a Celery application: metrics on port 8001 of its workers, traces, errors, logs.

    Call it where the application is made, which backend and workers import: the length of its queues then is known as
    long as one of them lives. To call it again adds what was not observed yet.

    Args:
        app: the application.
        generation_tasks: the names of the tasks that are a manga's generation, each success or failure of which counts
            in `manga_generation_total`.
    """
    process.set_up()
    metrics.workers()
    _TASKS.observe(generation_tasks)
    queues.measure(app)
    app.steps["worker"].add(_Page)


class _Page(StartStopStep):  # type: ignore[misc]
    """Shows the page before the broker answers, but once the pool has its processes: to fork goes ill with threads."""

    requires = ("celery.worker.components:Pool",)

    def start(self, parent: Any) -> None:
        names = [name for name in parent.app.tasks if not name.startswith("celery.")]
        metrics.start_at_zero(tasks=[*names, UNKNOWN])
        page.PAGE.open(self)


class _Tasks:
    """Metrics from Celery's signals of its tasks (D-140). A task that is retried has neither succeeded nor failed."""

    def __init__(self) -> None:
        self._generation_tasks: set[str] = set()
        self._began: dict[str, float] = {}
        # Celery 5.7 tells each hard time limit twice.
        self._lost: deque[str] = deque(maxlen=1000)

    def observe(self, generation_tasks: Collection[str]) -> None:
        """Count tasks from now on, and the generations among them."""
        self._generation_tasks |= set(generation_tasks)
        for signal, receiver in (
            (signals.setup_logging, self._on_logging),
            (signals.worker_ready, self._on_ready),
            (signals.worker_process_init, self._on_child),
            (signals.task_prerun, self._on_start),
            (signals.task_postrun, self._on_end),
            (signals.task_success, self._on_success),
            (signals.task_failure, self._on_failure),
            (signals.task_revoked, self._on_revoked),
            (signals.task_unknown, self._on_unknown),
            (signals.task_rejected, self._on_unreadable),
            (signals.worker_process_shutdown, self._on_child_shutdown),
            (signals.worker_shutdown, self._on_shutdown),
        ):
            signal.connect(receiver, weak=False)

    def _on_logging(self, loglevel: int | str, **_: Any) -> None:
        logs.set_up(loglevel)

    def _on_ready(self, sender: Any, **_: Any) -> None:
        metrics.workers().set(1)
        if not metrics.IS_MULTIPROCESS and sender.pool.__module__ == "celery.concurrency.prefork":
            _LOGGER.warning("No task of this worker is counted: PROMETHEUS_MULTIPROC_DIR is not set")

    def _on_child(self, **_: Any) -> None:
        page.PAGE.leave()
        # A process that was killed may have had the same id.
        metrics.ACTIVE_TASKS.set(0)

    def _on_start(self, task_id: str, **_: Any) -> None:
        self._began[task_id] = time.perf_counter()
        metrics.ACTIVE_TASKS.inc()

    def _on_end(self, task_id: str, task: Any, state: str | None = None, **_: Any) -> None:
        if (began := self._began.pop(task_id, None)) is not None:
            metrics.ACTIVE_TASKS.dec()
            metrics.CELERY_TASK_DURATION.labels(task.name).observe(time.perf_counter() - began)
        if state == states.REJECTED:
            self._count(task.name, states.REJECTED)

    def _on_success(self, sender: Any, **_: Any) -> None:
        self._count(sender.name, states.SUCCESS)

    def _on_failure(self, sender: Any, task_id: str, **_: Any) -> None:
        """Count a failure: in the child that ran the task, or in the main process for one that was killed."""
        self._count_once(sender.name, states.FAILURE, task_id)

    def _on_revoked(self, sender: Any, request: Any, **_: Any) -> None:
        self._count_once(sender.name, states.REVOKED, request.id)

    def _on_unknown(self, **_: Any) -> None:
        """Count a task that no worker knows, which Celery marks as a failure."""
        self._count(UNKNOWN, states.FAILURE)

    def _on_unreadable(self, **_: Any) -> None:
        self._count(UNKNOWN, states.REJECTED)

    def _count_once(self, task: str, status: str, task_id: str) -> None:
        if task_id not in self._lost:
            self._lost.append(task_id)
            self._count(task, status)

    def _count(self, task: str, status: str) -> None:
        metrics.CELERY_TASK_COUNT.labels(task, status).inc()
        if task in self._generation_tasks and status in (states.SUCCESS, states.FAILURE):
            metrics.MANGA_GENERATION_COUNT.labels(status.lower()).inc()

    def _on_child_shutdown(self, **_: Any) -> None:
        process.flush()

    def _on_shutdown(self, **_: Any) -> None:
        metrics.workers().set(0)
        process.flush()


_TASKS = _Tasks()
