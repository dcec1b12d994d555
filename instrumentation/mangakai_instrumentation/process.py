"""The set-up that a backend or worker process makes once, and what it does before it ends."""

import functools
import logging

from . import directory, errors, logs, metrics, tracing

_LOGGER = logging.getLogger(__name__)


@functools.cache
def set_up() -> None:
    """Set up logs, traces and errors, and say in one line what is off and how to turn it on."""
    logs.set_up()
    lacks = {
        "traces (OTEL_EXPORTER_OTLP_ENDPOINT)": tracing.set_up(),
        "Sentry (SENTRY_DSN)": errors.set_up(),
        "metrics of more than one process (PROMETHEUS_MULTIPROC_DIR)": metrics.IS_MULTIPROCESS,
        "metrics of this process (PROMETHEUS_MULTIPROC_DIR is full)": not directory.Allocated.is_full,
    }
    off = ", ".join(what for what, is_on in lacks.items() if not is_on)
    _LOGGER.info("MangakAI is observed; off, as their variables are not set or lead nowhere: %s", off or "nothing")


def flush() -> None:
    """Send the spans and errors that wait: some processes end without what `atexit` has registered."""
    tracing.flush()
    errors.flush()
