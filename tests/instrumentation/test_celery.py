"""A real worker whose tasks end in each way, and which is killed: what its page and that of others show."""

import contextlib
import os
import signal
from pathlib import Path

import pytest
from celery import Celery, signals

from mangakai_instrumentation import metrics, observe_celery
from sandbox.demo.application.running import PASSWORD
from sandbox.demo.watch import Watch
from tests.instrumentation.conftest import PORTS, Observed
from tests.instrumentation.test_processes import children

BROKER = f"redis://:{PASSWORD}@127.0.0.1:{PORTS.redis}/0"


@pytest.fixture
def client() -> Celery:
    """What sends to the worker."""
    app = Celery("ends", broker=BROKER, backend=BROKER)
    app.conf.broker_transport_options = {"global_keyprefix": "mk_"}
    return app


@pytest.fixture
def worker(bare: Observed, tmp_path: Path) -> Observed:
    """A worker's place; it does not run yet."""
    bare.environment["PROMETHEUS_MULTIPROC_DIR"] = str(tmp_path / "metrics")
    return bare


def shown(worker: Observed, name: str, **labels: str) -> float | None:
    """Return what a worker's page shows, or None where there is no page."""
    with contextlib.suppress(OSError):
        return worker.value(PORTS.worker_metrics, name, **labels)
    return None


def count(worker: Observed, task: str, status: str) -> float | None:
    return shown(worker, "celery_task_total", task_name=task, status=status)


def test_each_end_of_a_task_is_counted(worker: Observed, client: Celery) -> None:
    worker.start_celery("--concurrency", "1")
    assert Watch.wait(lambda: shown(worker, "celery_workers") == 1, 20)
    assert (count(worker, "ends.succeed", "SUCCESS"), count(worker, "unknown", "FAILURE")) == (0, 0)
    client.send_task("ends.succeed")
    client.send_task("ends.gone")
    client.send_task("ends.reject")
    client.send_task("ends.hang", [20], time_limit=1)
    client.send_task("ends.succeed", expires=-1)
    running = client.send_task("ends.hang", [20])
    with client.connection_for_write() as connection, connection.Producer() as producer:
        producer.publish({"no": "task"}, routing_key="celery")
    assert Watch.wait(lambda: count(worker, "ends.hang", "FAILURE") == 1, 20), worker.log("worker")[-3000:]
    assert Watch.wait(lambda: shown(worker, "celery_active_tasks") == 1, 10)
    client.control.revoke(running.id, terminate=True, signal="SIGKILL")
    assert Watch.wait(lambda: count(worker, "ends.hang", "REVOKED") == 1, 20), worker.log("worker")[-3000:]
    assert Watch.wait(lambda: shown(worker, "celery_active_tasks") == 0, 10)
    assert count(worker, "ends.succeed", "SUCCESS") == 1
    assert count(worker, "ends.succeed", "REVOKED") == 1
    assert count(worker, "ends.reject", "REJECTED") == 1
    assert count(worker, "unknown", "FAILURE") == 1
    assert count(worker, "unknown", "REJECTED") == 1
    assert count(worker, "ends.hang", "FAILURE") == 1
    # The application is observed twice.
    assert shown(worker, "manga_generation_total", status="success") == 1


def test_a_failure_that_is_told_twice_is_counted_once(client: Celery) -> None:
    """As Celery 5.7 tells a hard time limit."""
    observe_celery(client)

    @client.task(name="ends.told_twice")
    def told() -> None: ...

    for task_id in ("a", "a", "b"):
        signals.task_failure.send(sender=told, task_id=task_id, exception=TimeoutError(), args=(), kwargs={})
    assert metrics.CELERY_TASK_COUNT.labels("ends.told_twice", "FAILURE")._value.get() == 2


def test_killed_tasks_are_not_active_any_more_though_fewer_take_their_place(worker: Observed, client: Celery) -> None:
    worker.start_celery("--concurrency", "4")
    for _ in range(4):
        client.send_task("ends.hang", [60])
    assert Watch.wait(lambda: shown(worker, "celery_active_tasks") == 4, 20)
    process = worker.processes["worker"]
    killed = [process.pid, *children(process.pid)]
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    process.wait(10)
    del worker.processes["worker"]
    client.control.purge()
    worker.start_celery("--concurrency", "2")
    assert Watch.wait(lambda: shown(worker, "celery_workers") == 1, 20)
    assert shown(worker, "celery_active_tasks") == 0


def test_the_page_is_there_before_the_broker_is(worker: Observed) -> None:
    worker.end("redis", kill=True)
    worker.start_celery("--concurrency", "1")
    assert shown(worker, "celery_workers") == 0
    assert shown(worker, "celery_queue_length", queue="celery") is None
    worker.start_redis()
    assert Watch.wait(lambda: shown(worker, "celery_workers") == 1, 30)
    assert shown(worker, "celery_queue_length", queue="celery") == 0


@pytest.mark.parametrize("pool", ["solo", "threads"])
def test_other_pools_keep_their_page(worker: Observed, client: Celery, pool: str) -> None:
    worker.start_celery("--pool", pool, "--concurrency", "2")
    client.send_task("ends.succeed")
    assert Watch.wait(lambda: count(worker, "ends.succeed", "SUCCESS") == 1, 20)
    assert shown(worker, "celery_workers") == 1


def test_a_backend_shows_the_workers_of_others_as_none(bare: Observed) -> None:
    bare.start_backend()
    assert bare.value(PORTS.backend_metrics, "celery_workers") == 0
