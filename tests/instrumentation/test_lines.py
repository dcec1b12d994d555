"""One line of the log: what is in it, what is not, and that it is JSON whatever is logged."""

import json
import logging
import math
import sys
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext

from mangakai_instrumentation.lines import Formatter

SECRET = "hunter2hunter2"
# What a line says of itself, and what the log pipeline reads where it says nothing.
NAMES = [
    *("@timestamp", "timestamp", "level", "log", "log.level", "logger", "log.logger", "trace", "trace_id", "trace.id"),
    *("span", "span_id", "span.id", "error", "error.type", "ecs", "ecs.version", "extra"),
]
TRACE = f"{0xABC:032x}"


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no ink")


def line(message: str, *arguments: Any, by: Any = "mangakai.pages", **extra: Any) -> dict[str, Any]:
    """Return the line of a warning, as it is within an `except` and a span."""
    error = sys.exc_info() if sys.exc_info()[0] else None
    record = logging.getLogger(by).makeRecord(by, logging.WARNING, __file__, 7, message, arguments, error, extra=extra)
    with trace.use_span(NonRecordingSpan(SpanContext(0xABC, 0xDEF, is_remote=False))):
        text = Formatter().format(record)
    assert "\n" not in text
    text.encode()
    found: dict[str, Any] = json.loads(text, parse_constant=pytest.fail)
    return found


class TestExceptions:
    """What a line tells of an exception."""

    def test_its_cause_is_told(self) -> None:
        try:
            try:
                raise KeyError("the real cause")
            except KeyError as error:
                raise ValueError("page 7") from error
        except ValueError:
            told = line("not drawn")["error"]
        assert (told["type"], told["message"]) == ("ValueError", "page 7")
        assert told["stack_trace"].index("KeyError: 'the real cause'") < told["stack_trace"].index("ValueError: page 7")
        assert "direct cause" in told["stack_trace"]

    def test_the_members_of_a_group_are_told(self) -> None:
        try:
            raise ExceptionGroup("2 pages", [ValueError("no ink"), OSError("no paper")])
        except ExceptionGroup:
            told = line("not drawn")["error"]
        assert told["type"] == "ExceptionGroup"
        assert {"ValueError: no ink", "OSError: no paper"} <= {
            each.strip(" |") for each in told["stack_trace"].splitlines()
        }

    def test_one_that_cannot_be_shown_is_named(self) -> None:
        class UnprintableError(Exception):
            def __str__(self) -> str:
                raise RuntimeError("no ink")

        try:
            raise UnprintableError
        except UnprintableError:
            told = line("not drawn")["error"]
        assert (told["type"], told["message"]) == ("UnprintableError", "<UnprintableError>")


class TestFields:
    """Fields of one's own."""

    def test_they_stay(self) -> None:
        assert line("drawn", manga={"id": 7, "pages": [1, 2.5, None, True]})["manga"] == {
            "id": 7,
            "pages": [1, 2.5, None, True],
        }

    @pytest.mark.parametrize("name", NAMES)
    def test_none_takes_the_place_of_what_a_line_says_of_itself(self, name: str) -> None:
        try:
            raise ValueError("no ink")
        except ValueError:
            written = line("not drawn", **{name: 1700000000})
        assert written["extra"] == {name: 1700000000}
        assert (written["log.level"], written["log"]) == ("warning", {"logger": "mangakai.pages"})
        assert (written["trace"]["id"], written["error"]["type"]) == (TRACE, "ValueError")
        assert written["@timestamp"] != 1700000000
        assert not {"level", "logger", "timestamp", "trace_id", "span_id", "log.logger", "trace.id"} & written.keys()

    @pytest.mark.parametrize(
        "number", [math.nan, math.inf, -math.inf, 2**63, 10**5000], ids=["nan", "inf", "-inf", "64 bits", "huge"]
    )
    def test_a_number_that_json_or_elasticsearch_has_not_is_text(self, number: float) -> None:
        assert isinstance(line("scored", score=[number])["score"][0], str)

    def test_what_json_has_not_is_text(self) -> None:
        written = line("drawn", pages={1, 2}, page=Unprintable(), names={7: "a", Unprintable: b"b"})
        assert written["pages"] == "{1, 2}"
        assert written["page"] == "<Unprintable>"
        assert written["names"]["7"] == "a"

    def test_what_holds_itself_ends(self) -> None:
        ring: dict[str, Any] = {"page": 7}
        ring |= {"left": ring, "right": [ring]}
        deep: list[Any] = []
        for _ in range(2000):
            deep = [deep]
        written = line("drawn", ring=ring, deep=deep)
        assert written["ring"] == {"page": 7, "left": "<dict>", "right": ["<dict>"]}
        assert len(json.dumps(written["deep"])) < 100


class TestMessages:
    """The text of a line."""

    @pytest.mark.parametrize("text", ["half a character: \ud83d", "\udc00 and \x00 and \x1b[31m"])
    def test_half_a_character_is_none(self, text: str) -> None:
        written = line(text, page=text, **{text: 1})
        assert written["message"] == written["page"] == text.replace("\ud83d", "\ufffd").replace("\udc00", "\ufffd")

    def test_two_halves_are_one(self) -> None:
        assert line("\ud83d\ude00")["message"] == "😀"

    def test_arguments_that_do_not_fit_are_told_beside(self) -> None:
        assert line("page %d of %d", "seven")["message"] == "page %d of %d ('seven',)"


class TestScrubbed:
    """What of a line leaves the process: as little as of errors and traces."""

    def test_no_secret_is_written(self) -> None:
        try:
            raise RuntimeError(f"postgresql://mangakai:{SECRET}@db/mangakai is away, password={SECRET}")
        except RuntimeError:
            written = line("asked %s", f"/callback?code={SECRET}", headers={"Authorization": SECRET}, api_key=SECRET)
        assert SECRET not in json.dumps(written)
        assert written["error"]["message"].startswith("postgresql://[Filtered]@db/mangakai is away")

    @pytest.mark.parametrize(
        ("logger", "message", "arguments"),
        [
            ("uvicorn.access", '%s - "%s %s HTTP/%s" %d', ("203.0.113.9:4711", "GET", "/boom?q=prompt", "1.1", 500)),
            ("uvicorn.error", '%s - "WebSocket %s" [accepted]', ("203.0.113.9:4711", "/ws?q=prompt")),
            ("gunicorn.access", '%(h)s "%(r)s" %(s)s', ({"h": "203.0.113.9", "r": "GET /boom?q=prompt", "s": 500},)),
        ],
    )
    def test_an_access_line_shows_neither_client_nor_query(
        self, logger: str, message: str, arguments: tuple[Any, ...]
    ) -> None:
        written = line(message, *arguments, by=logger)["message"]
        assert written.startswith("[Filtered] ")
        assert "?[Filtered]" in written
        assert not {"203.0.113.9", "prompt"} & set(written.replace(":", " ").replace("=", " ").split())

    def test_celerys_lines_show_neither_arguments_nor_results(self) -> None:
        context = {
            "id": "7",
            "name": "draw",
            "args": "('prompt',)",
            "kwargs": "{'page': 1}",
            "return_value": "'prompt'",
        }
        written = line("Task %(name)s[%(id)s] succeeded: %(return_value)s", context, data=context)
        assert written["message"] == "Task draw[7] succeeded: [Filtered]"
        assert written["data"] == {
            "id": "7",
            "name": "draw",
            **dict.fromkeys(["args", "kwargs", "return_value"], "[Filtered]"),
        }
