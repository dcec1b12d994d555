"""Log lines as JSON with the names of ECS and the ids of the trace, as the log pipeline reads them."""

import io
import logging
import os
import sys

from . import lines

# They bring handlers of their own, whose lines no pipeline could read.
_OTHERS = ("uvicorn", "uvicorn.error", "uvicorn.access", "gunicorn.error", "gunicorn.access", "celery", "celery.task")


def set_up(level: int | str = logging.INFO) -> None:
    """Let every logger write to standard output what is at least of the level LOG_LEVEL.

    Args:
        level: that counts where LOG_LEVEL is not set or none.
    """
    names = logging.getLevelNamesMapping()
    logging.getLogger().setLevel(names.get(os.environ.get("LOG_LEVEL", "").upper(), level))
    logging.captureWarnings(True)
    take_over()


def take_over() -> None:
    """Let every logger write its lines as JSON, also one that a server has set up meanwhile."""
    root = logging.getLogger()
    # What others have added for themselves, as pytest's caplog, is theirs.
    root.handlers[:] = [other for other in root.handlers if not _is_console(other)] + [handler()]
    for name in _OTHERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


def handler() -> logging.Handler:
    """Return a handler that writes lines of JSON to standard output."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Whatever the locale, lines are UTF-8.
        sys.stdout.reconfigure(encoding="utf-8")
    found = logging.StreamHandler(sys.stdout)
    found.setFormatter(lines.Formatter())
    return found


def _is_console(handler: logging.Handler) -> bool:
    consoles = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    return isinstance(handler.formatter, lines.Formatter) or (
        isinstance(handler, logging.StreamHandler) and handler.stream in consoles
    )
