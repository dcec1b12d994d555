"""What Filebeat takes for one event: tracebacks, and of no program two lines that do not belong together."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.logs import filebeat
from components.logs.multiline import MAX_BYTES
from components.settings.logs import FilebeatSettings

from . import corpus
from .multiline import joined

[CONTAINERS] = filebeat.render(FilebeatSettings(), "logstash:5044", "mangakai-prod")["filebeat.inputs"]
[RULE] = [parser["multiline"] for parser in CONTAINERS["parsers"] if "multiline" in parser]
# A line of each program that may run beside the application. None continues another, whichever comes before.
LINES = {
    "the guide's form": "2026-01-31 10:00:00,123 ERROR mangakai.api Failed",
    "Celery": "[2026-01-31 10:00:00,123: INFO/MainProcess] Task mangakai.draw[9f1c] received",
    "gunicorn": "[2026-01-31 10:00:00 +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:8)",
    "uvicorn": 'INFO:     10.0.1.7:51234 - "GET /health HTTP/1.1" 200 OK',
    "JSON": '{"log.level":"error","message":"Generation failed"}',
    "Python's default form": "ERROR:root:Generation failed",
    "structlog in colours": "\x1b[2m2026-01-31 10:00:00\x1b[0m [\x1b[31merror\x1b[0m] \x1b[1mFailed\x1b[0m",
    "loguru": "2026-01-31 10:00:00.123 | ERROR    | mangakai.api:create:42 - Failed",
    "SQLAlchemy": "2026-01-31 10:00:00,123 INFO sqlalchemy.engine.Engine SELECT 1",
    "print": "drawing page 3",
    "print of a number": "42",
    "a warning of Python": "/usr/lib/python3.13/site-packages/x.py:3: UserWarning: it is old",
    "Redis": "1:M 31 Jan 2026 10:00:00.123 * Background saving terminated with success",
    "PostgreSQL": "2026-01-31 10:00:00.123 UTC [61] ERROR:  duplicate key value violates a constraint",
    "logfmt": 'ts=2026-01-31T10:00:00.123Z level=error msg="no connection"',
    "klog": 'E0131 10:00:00.123456       1 main.go:42] "Failed" err="no connection"',
    "Go": "2026/01/31 10:00:00 listening on :8080",
    "nginx": '203.0.113.9 - - [31/Jan/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 12 "-" "-"',
    "nginx, a client on a socket": 'unix: - - [31/Jan/2026:10:00:00 +0000] "GET / HTTP/1.1" 500 12 "-" "-"',
    "nginx, its error log": "2026/01/31 10:00:00 [error] 31#31: *1 connect() failed",
    "nginx's entrypoint": "/docker-entrypoint.sh: Configuration complete; ready for start up",
}


def events(lines: list[str]) -> list[str]:
    return [each.decode() for each in joined([line.encode() for line in lines], RULE, MAX_BYTES)]


@pytest.mark.parametrize("program", LINES)
def test_two_thousand_lines_of_a_program_are_two_thousand_events(program: str) -> None:
    assert events([LINES[program]] * 2000) == [LINES[program]] * 2000


def test_no_line_is_glued_to_one_of_another_program() -> None:
    lines = [line for one in LINES.values() for other in LINES.values() for line in (one, other)]
    assert events(lines) == lines


def test_the_lines_of_a_traceback_are_one_event() -> None:
    """What Python writes itself is indented or known; lines of a message of one's own choice are no part of it."""
    own = {"title", "pages", "reason: too long", "while waiting for Redis", "  style: shonen"}
    for case in corpus.cases():
        lines = case.line.split("\n")
        if "Traceback" in case.line and not own & set(lines):
            assert events(lines) == [case.line], case.name


@pytest.mark.parametrize(
    "newest", ["KeyError: 'page-7'", "mangakai.errors.NotFound: One Piece", "asyncio.TimeoutError"]
)
def test_a_traceback_of_a_thousand_calls_keeps_its_exception(newest: str) -> None:
    frame = [
        '  File "/app/mangakai/generation/panels/composition.py", line 1042, in compose',
        "    return self.draw(page)",
    ]
    lines = ["ERROR:    Failed", "Traceback (most recent call last):", *frame * 1000, newest, "INFO:     next"]
    first, second = events(lines)
    assert first.endswith(f"\n{newest}")
    assert second == "INFO:     next"


@settings(deadline=None)
@given(st.lists(st.one_of(st.sampled_from([*LINES.values(), "", "  indented", "KeyError: 1"]), st.text())))
def test_whatever_the_lines_are_none_is_lost_and_each_start_is_a_start(lines: list[str]) -> None:
    lines = [re.sub("[\n\ud800-\udfff]", " ", line) for line in lines]
    found = events(lines)
    assert "".join(found).replace("\n", "") == "".join(lines)
    starts = [line for line in lines if line in LINES.values()]
    assert [event.split("\n")[0] for event in found if event.split("\n")[0] in LINES.values()] == starts


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=64), st.integers(1, 8))
def test_an_event_is_never_larger_than_it_may_be(line: bytes, max_bytes: int) -> None:
    line = line.replace(b"\n", b" ")
    assert all(len(event) <= max_bytes for event in joined([line, b" " + line, b"", line], RULE, max_bytes))
