"""The lines of `corpus/`, with those that are too large to be written down, and what becomes of each."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

READ_AT = "2026-02-01T00:00:00.000Z"
# Fields that Filebeat brings, beside those that the pipeline makes.
FROM_FILEBEAT = {"stream", "kubernetes.namespace", "kubernetes.pod.name", "log.file.path", "host.name", "service.name"}
LARGE = 65536


@dataclass(frozen=True)
class Case:
    """A line of a service, and the fields that its document has, beside those of Filebeat."""

    name: str
    line: str
    service: str | None
    expect: dict[str, Any]

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
    return [*written, *_large()]


def _read(file: Path) -> list[Case]:
    return [
        _case(f"{file.stem}: {each['name']}", each["line"], each["expect"], each.get("service", "mangakai-backend"))
        for each in yaml.safe_load(file.read_text())
    ]


def _case(name: str, line: str, expect: dict[str, Any], service: str | None = "mangakai-backend") -> Case:
    return Case(name, line, service, {"@timestamp": READ_AT, "message": line, **expect})


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
        _case("large: JSON 5000 deep, unfinished", nested, {"tags": ["unparsed"]}),
        _case(
            "large: JSON with a long value",
            json.dumps({"message": "long", "prompt": "z" * 30000}),
            {"message": "long", "mangakai": {"prompt": "z" * 30000}},
        ),
    ]
