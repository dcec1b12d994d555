"""The set-up that a backend or worker process makes once, and what it does before it ends."""

import atexit
import functools
import logging
import os
from threading import Thread

from . import directory, errors, logs, metrics, tracing

_LOGGER = logging.getLogger(__name__)
# The processes, by id, that have sent what waited.
_FLUSHED: set[int] = set()


@functools.cache
def set_up() -> None:
    """Set up logs, traces and errors, and say in one line what is off and how to turn it on."""
    logs.set_up()
    is_traced, is_told = tracing.set_up(), errors.set_up()
    # Before Sentry's own, which is the last to be registered otherwise.
    atexit.register(_flush_once)
    lacks = {
        "traces (OTEL_EXPORTER_OTLP_ENDPOINT)": is_traced,
        "Sentry (SENTRY_DSN)": is_told,
        "metrics of more than one process (PROMETHEUS_MULTIPROC_DIR)": metrics.IS_MULTIPROCESS,
        "metrics of this process (PROMETHEUS_MULTIPROC_DIR is full)": not directory.Allocated.is_full,
    }
    off = ", ".join(what for what, is_on in lacks.items() if not is_on)
    _LOGGER.info("MangakAI is observed; off, as their variables are not set or lead nowhere: %s", off or "nothing")


def flush() -> None:
    """Send the spans and errors that wait: some processes end without what `atexit` has registered.

    Who does not answer costs less than a second.
    """
    _FLUSHED.add(os.getpid())
    spans = Thread(target=tracing.flush, daemon=True)
    spans.start()
    errors.flush()
    spans.join()


def _flush_once() -> None:
    if os.getpid() not in _FLUSHED:
        flush()
