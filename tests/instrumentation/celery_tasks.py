"""A Celery application whose tasks end in each way that a task can."""

import os
import signal
import time

from celery import Celery
from celery.exceptions import Reject

from mangakai_instrumentation import observe_celery

celery = Celery("ends", broker=os.environ["BROKER_URL"], backend=os.environ["BROKER_URL"])
celery.conf.update(worker_prefetch_multiplier=1, broker_transport_options={"global_keyprefix": "mk_"})
observe_celery(celery)
observe_celery(celery, generation_tasks=["ends.succeed"])


@celery.task(name="ends.succeed")
def succeed() -> None:
    """Succeed."""


@celery.task(name="ends.hang")
def hang(seconds: float) -> None:
    """Take so long."""
    time.sleep(seconds)


@celery.task(name="ends.reject")
def reject() -> None:
    """Be rejected."""
    raise Reject("no ink", requeue=False)


@celery.task(name="ends.kill")
def kill() -> None:
    """Take the process along."""
    os.kill(os.getpid(), signal.SIGKILL)
