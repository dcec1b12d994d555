"""How long queues are, asked of a real Redis."""

import time

import pytest
from celery import Celery
from kombu.entity import Queue

from mangakai_instrumentation import queues
from sandbox.demo.application.running import PASSWORD
from tests.instrumentation.conftest import PORTS
from tests.serving import silent

BROKER = f"redis://:{PASSWORD}@127.0.0.1:{PORTS.redis}/0"

OBJECT = Queue("object")  # type: ignore[no-untyped-call]


def celery(broker: str = BROKER, prefix: str = "") -> Celery:
    app = Celery("queues", broker=broker)
    app.conf.broker_transport_options = {"global_keyprefix": prefix}
    return app


def draw() -> None: ...


def lengths(*apps: Celery) -> dict[str, float]:
    """Return what the metric shows of a process that has not sent anything yet."""
    metric = queues.QueueLength()
    metric.apps.update(apps)
    (family,) = metric.collect()
    return {sample.labels["queue"]: sample.value for sample in family.samples}


def send(app: Celery, queue: str, number: int = 1, priority: int = 0) -> None:
    for _ in range(number):
        app.send_task("any", queue=queue, priority=priority)


@pytest.mark.usefixtures("bare")
class TestLengths:
    """What waits."""

    def test_of_keys_with_a_prefix(self) -> None:
        send(celery(prefix="mk_"), "celery", 3)
        assert lengths(celery(prefix="mk_")) == {"celery": 3}
        assert lengths(celery()) == {"celery": 0}

    def test_of_queues_that_only_routes_or_tasks_name(self) -> None:
        sender = celery()
        for number, queue in enumerate(("exact", "pattern", "short", "object", "decorated"), 1):
            send(sender, queue, number)
        routes = [
            {"a": {"queue": "exact"}, "b.*": {"queue": "pattern"}, "c": "short", "d": {"routing_key": "elsewhere"}},
            [("e", {"queue": OBJECT})],
            lambda *_, **__: None,
        ]
        app = celery()
        app.conf.task_routes = routes
        app.task(name="f", queue="decorated", shared=False)(draw)
        app.task(name="g", shared=False)(draw)
        assert lengths(app) == {"celery": 0, "exact": 1, "pattern": 2, "short": 3, "object": 4, "decorated": 5}

    def test_of_each_priority(self) -> None:
        for priority in (0, 3, 6, 9):
            send(celery(), "celery", priority=priority)
        assert lengths(celery()) == {"celery": 4}

    def test_of_two_applications(self) -> None:
        """A queue that they have in common is one; two of one name at two brokers are both."""
        other = BROKER.removesuffix("0") + "1"
        send(celery(), "celery", 2)
        send(celery(other), "celery", 3)
        assert lengths(celery(), celery(), celery(other)) == {"celery": 5}


def test_a_broker_that_hangs_costs_no_more_than_is_promised() -> None:
    with silent() as port:
        app = celery(f"redis://127.0.0.1:{port}/0")
        metric = queues.QueueLength()
        metric.apps.add(app)
        for _ in range(2):
            began = time.monotonic()
            (family,) = metric.collect()
            took = time.monotonic() - began
            print(f"\nasked for {took:.1f} s", end="")
            assert family.samples == []
            assert took < queues.BROKER_SECONDS + 0.5
