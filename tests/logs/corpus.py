"""The lines of `corpus/`, with those that are too large to be written down, and what becomes of each."""

import json
import logging
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from opentelemetry import trace
from opentelemetry.trace import SpanContext

from mangakai_instrumentation import logs

READ_AT = "2026-02-01T00:00:00.000Z"
# Fields that Filebeat brings, beside those that the pipeline makes.
FROM_FILEBEAT = {"stream", "kubernetes.namespace", "kubernetes.pod.name", "log.file.path", "host.name", "service.name"}
LARGE = 65536


@dataclass(frozen=True)
class Case:
    """A line of a service, and the fields that its document has, beside those of Filebeat; `then` are further ones."""

    name: str
    line: str
    service: str | None
    expect: dict[str, Any]
    then: tuple[dict[str, Any], ...] = ()

    def documents(self) -> dict[str, dict[str, Any]]:
        """Return what is expected, each by a name of its own."""
        return {self.name: self.expect} | {f"{self.name}, {n}": each for n, each in enumerate(self.then, 2)}

    def event(self) -> dict[str, Any]:
        """Return the event that Filebeat delivers."""
        return {
            "@timestamp": READ_AT,
            "message": self.line,
            "stream": "stdout",
            "log": {"file": {"path": "/var/log/containers/backend-0_mangakai-prod_backend-1.log"}},
            "kubernetes": {"namespace": "mangakai-prod", "pod": {"name": "backend-0"}},
            "host": {"name": "node-1"},
            **({"service": {"name": self.service}} if self.service else {}),
        }


def cases() -> list[Case]:
    """Return all cases."""
    written = [each for file in sorted(Path(__file__).parent.glob("corpus/*.yml")) for each in _read(file)]
    return [*written, *_instrumented(), *_large()]


def _read(file: Path) -> list[Case]:
    return [
        _case(
            f"{file.stem}: {each['name']}",
            each["line"],
            each["expect"],
            each.get("service", "mangakai-backend"),
            tuple({"@timestamp": READ_AT, **document} for document in each.get("then", [])),
        )
        for each in yaml.safe_load(file.read_text())
    ]


def _case(
    name: str,
    line: str,
    expect: dict[str, Any],
    service: str | None = "mangakai-backend",
    then: tuple[dict[str, Any], ...] = (),
) -> Case:
    return Case(name, line, service, {"@timestamp": READ_AT, "message": line, **expect}, then)


def _instrumented() -> list[Case]:
    """Return what the application writes that loads the package in `instrumentation/`."""
    try:
        {}["page-7"]  # type: ignore[index]
    except KeyError:
        raised = sys.exc_info()
    failed = logging.LogRecord("mangakai.api", logging.ERROR, "", 0, "%s cannot be drawn: 漫画", ("page-7",), raised)
    ordered = logging.LogRecord("uvicorn.error", logging.WARNING, "", 0, "Slow", (), None)
    ordered.__dict__ |= {"manga": {"id": 7}, "level": 3}
    handler, lines = logs.handler(), []
    for record in (failed, ordered):
        record.created, record.msecs = 1769853600.123, 123
        span = SpanContext(int("4bf92f3577b34da6a3ce929d0e0e4736", 16), int("00f067aa0ba902b7", 16), is_remote=False)
        with trace.use_span(trace.NonRecordingSpan(span)):
            lines.append(handler.format(record))
    shared = {
        "@timestamp": "2026-01-31T10:00:00.123Z",
        "trace.id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "span.id": "00f067aa0ba902b7",
    }
    rest: dict[str, Any] = {"ecs.version": "1.6.0", "log": {}, "trace": {"kept": False}, "span": {}}
    return [
        _case(
            "instrumentation: an exception in a trace",
            lines[0],
            {
                **shared,
                "log.level": "ERROR",
                "log.logger": "mangakai.api",
                "message": "page-7 cannot be drawn: 漫画",
                "error.type": "KeyError",
                "error.message": "'page-7'",
                "error.stack_trace": "".join(traceback.format_exception(raised[1])),
                "mangakai": {**rest, "error": {}},
                "tags": ["error"],
            },
        ),
        _case(
            "instrumentation: with more than words",
            lines[1],
            {
                **shared,
                "log.level": "WARNING",
                "log.logger": "uvicorn.error",
                "message": "Slow",
                "mangakai": {**rest, "manga": {"id": 7}, "extra": {"level": 3}},
            },
        ),
    ]


def _large() -> list[Case]:
    """Return what an application that goes wrong, or who means harm, can write: up to Filebeat's limit."""
    guide, parsed = (
        "2026-01-31 10:00:00,123 ERROR mangakai.api ",
        {
            "@timestamp": "2026-01-31T10:00:00.123Z",
            "log.level": "ERROR",
            "log.logger": "mangakai.api",
            "tags": ["error"],
        },
    )
    word, words = "x" * (LARGE - len(guide)), "漫画 " * (LARGE // 7)
    header, frame = "Traceback (most recent call last):\n", '  File "/app/draw.py", line 9, in draw\n    draw(page)\n'
    stack = f"{header}{frame * 1000}RecursionError: maximum recursion depth exceeded"
    keys = {f"key_{number}": number for number in range(400)}
    deep: dict[str, Any] = {"end": 1}
    for _ in range(30):
        deep = {"a": deep}
    nested = '{"a":' * 5000
    deeper = json.dumps({"level": "error", "message": "deeper", "a": 0}).replace(
        ": 0", ': {"a"' * 700 + ": 0" + "}" * 700
    )
    return [
        _case("large: 64 KiB without a space", guide + word, {**parsed, "message": word}),
        _case("large: 64 KiB of words", guide + words, {**parsed, "message": words}),
        _case("large: 64 KiB that fit nothing", "y" * LARGE, {"tags": ["unparsed"]}),
        _case(
            "large: a traceback of 1000 frames",
            f"{guide}Failed\n{stack}",
            {
                **parsed,
                "message": f"Failed\n{stack}",
                "error.type": "RecursionError",
                "error.message": "maximum recursion depth exceeded",
                "error.stack_trace": stack,
            },
        ),
        _case("large: nothing but the beginnings of tracebacks", header * 1800, {"tags": ["unparsed"]}),
        _case("large: frames that no exception ends", f"{header}{frame * 1000}", {"tags": ["unparsed"]}),
        _case("large: spaces", " " * LARGE, {"tags": ["unparsed"]}),
        _case("large: newlines", "\n" * LARGE, {"tags": ["unparsed"]}),
        _case("large: digits that could be a date", "2026-01-" * 8000, {"tags": ["unparsed"]}),
        _case(
            "large: quotes of nginx",
            f"203.0.113.9 - - [31/Jan/2026:10:00:00 +0000] {chr(34) * 60000}",
            {"tags": ["unparsed"]},
            "nginx",
        ),
        _case("large: colons of an address", ":" * 60000, {"tags": ["unparsed"]}, "nginx"),
        _case(
            "large: JSON of 400 keys", json.dumps({"message": "many", **keys}), {"message": "many", "mangakai": keys}
        ),
        _case("large: JSON 30 deep", json.dumps({"message": "deep", **deep}), {"message": "deep", "mangakai": deep}),
        # Deeper than Logstash's queues hold, which take the errors of a whole batch along.
        _case(
            "deep: JSON of 700 levels",
            deeper,
            {"log.level": "ERROR", "message": "deeper", "event.original": deeper, "tags": ["error"]},
        ),
        _case("large: JSON 5000 deep, unfinished", nested, {"tags": ["unparsed"]}),
        _case(
            "large: JSON with a long value",
            json.dumps({"message": "long", "prompt": "z" * 30000}),
            {"message": "long", "mangakai": {"prompt": "z" * 30000}},
        ),
    ]
