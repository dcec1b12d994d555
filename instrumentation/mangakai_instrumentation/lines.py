"""A line of the log: one object of JSON whatever is logged, with the names of ECS, and without what is sensitive."""

import json
import logging
import math
import traceback
from collections.abc import Mapping
from typing import Any

from ecs_logging import StdlibFormatter
from opentelemetry import trace

from . import tracing
from .scrubbing import FILTERED, scrub

# The attribute of an exception that has left its span: the context of that.
SPAN = "__mangakai_span__"
# Where fields of one's own are that are called like one of the line's.
EXTRA = "extra"
# The names that the log pipeline reads, those before a dot above all.
_RESERVED = {"@timestamp", "ecs", "error", "level", "log", "logger", "message", "span", "span_id", "timestamp", "trace",
             "trace_id", EXTRA}  # fmt: skip
_OF_A_RECORD = {*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName"}
# The message again, in uvicorn's colours.
_COLOURED = "color_message"
# What a task was given and gives, which Celery's own lines tell.
_OF_A_TASK = {"args", "kwargs", "return_value"}
# Elasticsearch takes no larger number, and no deeper object that anybody reads.
_INTEGER_BITS, _DEPTH = 63, 20


class Formatter(StdlibFormatter):
    """A formatter whose lines are read by the log pipeline, whatever is logged."""

    def __init__(self) -> None:
        super().__init__(exclude_fields=["process", "error", "log.original", "log.origin"])

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record, without the line's end."""
        known = {name: value for name, value in record.__dict__.items() if name in _OF_A_RECORD}
        known |= {"msg": scrub(_message(record)), "args": None}
        line = self.format_to_ecs(logging.makeLogRecord(known))
        if isinstance(record.exc_info, tuple) and record.exc_info[1] is not None:
            line["error"] = _error(record.exc_info[1])
        elif record.stack_info:
            line["error"] = {"stack_trace": scrub(record.stack_info)}
        if context := _span(record):
            line["trace"] = {"id": trace.format_trace_id(context.trace_id)}
            if (is_kept := tracing.is_kept(context, record.levelno >= logging.ERROR)) is not None:
                line["trace"]["kept"] = is_kept
            line["span"] = {"id": trace.format_span_id(context.span_id)}
        own = _own(record)
        reserved = {name: own.pop(name) for name in [*own] if name.partition(".")[0] in _RESERVED}
        first = {"@timestamp": line.pop("@timestamp"), "log.level": line["log"].pop("level")}
        text = json.dumps(
            {**first, "message": line.pop("message"), **line, **own, **({EXTRA: reserved} if reserved else {})},
            ensure_ascii=False,
            separators=(",", ":"),
        )
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _message(record: logging.LogRecord) -> str:
    """Return the message, without the client's address in a server's lines and what a task was given in Celery's."""
    arguments: Any = record.args
    if isinstance(arguments, Mapping):
        hidden = _OF_A_TASK if arguments is getattr(record, "data", None) else set()
        # `h` is gunicorn's client.
        hidden = {"h"} if record.name == "gunicorn.access" else hidden
        arguments = {name: FILTERED if name in hidden else value for name, value in arguments.items()}
    elif arguments and record.name.startswith("uvicorn.") and str(record.msg).startswith('%s - "'):
        arguments = (FILTERED, *arguments[1:])
    try:
        return str(record.msg) % arguments if arguments else str(record.msg)
    except Exception:
        return f"{record.msg} {_text(arguments)}"


def _error(error: BaseException) -> dict[str, str]:
    """Return type, message and traceback of an exception, with those of its causes and of the group's members."""
    try:
        shown = "".join(traceback.format_exception(error))
    except Exception:  # what has come from another process need not have all of it
        shown = "".join(traceback.format_exception_only(error))
    return {"type": type(error).__name__, "message": scrub(_text(error)), "stack_trace": scrub(shown)}


def _span(record: logging.LogRecord) -> trace.SpanContext | None:
    context = trace.get_current_span().get_span_context()
    if not context.is_valid and isinstance(record.exc_info, tuple):
        context = getattr(record.exc_info[1], SPAN, context)
    return context if context.is_valid else None


def _own(record: logging.LogRecord) -> dict[str, Any]:
    """Return what a caller has added to a record by `extra`."""
    own = {name: value for name, value in record.__dict__.items() if name not in _OF_A_RECORD | {_COLOURED}}
    if own.get("data") is record.args and isinstance(record.args, Mapping):
        own["data"] = {name: FILTERED if name in _OF_A_TASK else value for name, value in record.args.items()}
    found: dict[str, Any] = scrub(_json(own))
    return found


def _json(value: Any, within: tuple[int, ...] = ()) -> Any:
    """Return a value as JSON has it; what it does not have is text."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int) and value.bit_length() <= _INTEGER_BITS:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, Mapping | list | tuple):
        if id(value) in within or len(within) == _DEPTH:
            return f"<{type(value).__name__}>"
        inside = (*within, id(value))
        if isinstance(value, Mapping):
            return {_text(key): _json(inner, inside) for key, inner in value.items()}
        return [_json(inner, inside) for inner in value]
    return _text(value)


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception:
        return f"<{type(value).__name__}>"
