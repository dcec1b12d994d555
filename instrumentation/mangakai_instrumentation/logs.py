"""Log lines as JSON with the names of ECS and the ids of the trace, as the log pipeline reads them."""

import io
import logging
import os
import sys

from ecs_logging import StdlibFormatter
from opentelemetry import trace

# They bring handlers of their own, whose lines no pipeline could read.
_OTHERS = ("uvicorn", "uvicorn.error", "uvicorn.access", "gunicorn.error", "gunicorn.access", "celery", "celery.task")
# The attribute of an exception that has left its span: the context of that.
SPAN = "__mangakai_span__"
# Objects in ECS, in whose place a line's own value of that name cannot be.
_GROUPS = {"ecs", "error", "log", "span", "trace"}


def set_up(level: int | str = logging.INFO) -> None:
    """Let every logger write to standard output what is at least of the level LOG_LEVEL.

    Args:
        level: that counts where LOG_LEVEL is not set or none.
    """
    names = logging.getLevelNamesMapping()
    root = logging.getLogger()
    # What others have added for themselves, as pytest's caplog, is theirs.
    root.handlers[:] = [other for other in root.handlers if not _is_console(other)] + [handler()]
    root.setLevel(names.get(os.environ.get("LOG_LEVEL", "").upper(), level))
    logging.captureWarnings(True)
    for name in _OTHERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


def handler() -> logging.Handler:
    """Return a handler that writes lines of JSON to standard output."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Half a character, which JSON may hold, is written as JSON writes it.
        sys.stdout.reconfigure(errors="backslashreplace")
    found = logging.StreamHandler(sys.stdout)
    excluded = ["process", "log.original", "log.origin", "color_message"]
    found.setFormatter(StdlibFormatter(exclude_fields=excluded, ensure_ascii=False))
    found.addFilter(_add_trace)
    return found


def _is_console(handler: logging.Handler) -> bool:
    consoles = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    return _add_trace in handler.filters or (isinstance(handler, logging.StreamHandler) and handler.stream in consoles)


def _add_trace(record: logging.LogRecord) -> bool:
    for name in _GROUPS & record.__dict__.keys():
        record.__dict__[f"labels.{name}"] = str(record.__dict__.pop(name))
    context = trace.get_current_span().get_span_context()
    if not context.is_valid and isinstance(record.exc_info, tuple):
        context = getattr(record.exc_info[1], SPAN, context)
    if context.is_valid:
        record.__dict__["trace.id"] = trace.format_trace_id(context.trace_id)
        record.__dict__["span.id"] = trace.format_span_id(context.span_id)
    return True
