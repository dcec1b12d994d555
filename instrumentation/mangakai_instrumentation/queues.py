"""`celery_queue_length` (S-106): what waits in the queues, asked of the broker at each scrape."""

import functools
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from threading import Lock, Thread
from typing import Any
from weakref import WeakSet

from celery import Celery
from celery.app.routes import MapRoute
from kombu.entity import Queue
from kombu.exceptions import ChannelError
from kombu.transport import virtual
from opentelemetry.instrumentation.utils import suppress_instrumentation
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from . import metrics

BROKER_SECONDS = 2
_LOGGER = logging.getLogger(__name__)


def measure(app: Celery) -> None:
    """Measure the queues of an application, for as long as it lives."""
    _registered().apps.add(app)


class QueueLength(Collector):
    """The metric. A broker that does not answer within BROKER_SECONDS has no length: a gap, not the last value."""

    def __init__(self) -> None:
        self.apps: WeakSet[Celery] = WeakSet()
        self._lock = Lock()
        self._asked: Future[Mapping[str, int]] | None = None

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Return the metric without a value, so that to register it asks nobody."""
        yield GaugeMetricFamily("celery_queue_length", "Celery queue length", labels=["queue"])

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return the metric with a value for each queue."""
        (metric,) = self.describe()
        try:
            for queue, length in self._ask().result(BROKER_SECONDS).items():
                metric.add_metric([queue], length)
        except Exception as error:
            _LOGGER.warning("The broker does not say how long the queues are", exc_info=error)
        yield metric

    def _ask(self) -> "Future[Mapping[str, int]]":
        """Ask in a thread, in one at a time: how long a client tries is no matter of its timeouts alone."""
        with self._lock:
            if self._asked is None or self._asked.done():
                self._asked = Future()
                Thread(target=self._answer, args=(self._asked,), name="queues", daemon=True).start()
            return self._asked

    def _answer(self, asked: "Future[Mapping[str, int]]") -> None:
        try:
            found: dict[tuple[str, str], int] = {}
            for app in self.apps:
                found |= _lengths(app)
            lengths: Counter[str] = Counter()
            for (_, queue), length in found.items():
                lengths[queue] += length
            asked.set_result(lengths)
        except BaseException as error:
            asked.set_exception(error)


@functools.cache
def _registered() -> QueueLength:
    metric = QueueLength()
    metrics.EXPOSED.register(metric)
    return metric


def _lengths(app: Celery) -> dict[tuple[str, str], int]:
    """Return what waits, by broker and queue: two applications may have both in common."""
    with suppress_instrumentation(), app.connection_for_read(connect_timeout=BROKER_SECONDS) as broker:
        limits = {"socket_timeout": BROKER_SECONDS, "socket_connect_timeout": BROKER_SECONDS}
        broker.transport_options = {**broker.transport_options, **limits}
        return {(broker.as_uri(), queue): _length(broker, queue) for queue in sorted(_names(app))}


def _names(app: Celery) -> set[str]:
    """Return the queues that the application declares, and those that only its routes or tasks name."""
    routed: list[Any] = [getattr(task, "queue", None) for task in app.tasks.values()]
    for route in app.amqp.routes:
        if isinstance(route, MapRoute):
            targets = [*route.map.values(), *route.patterns.values()]
            routed += [target.get("queue") if isinstance(target, Mapping) else target for target in targets]
    return {*app.amqp.queues, *(queue.name if isinstance(queue, Queue) else queue for queue in routed if queue)}


def _length(broker: Any, queue: str) -> int:
    with broker.channel() as channel:
        if isinstance(channel, virtual.Channel):
            # Its passive declaration asks for a key without `global_keyprefix`, and answers that there is no queue.
            return int(channel._size(queue))  # type: ignore[no-untyped-call]
        try:
            return int(channel.queue_declare(queue, passive=True).message_count)
        except ChannelError:
            # A queue that has never held anything.
            return 0
