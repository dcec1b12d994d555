"""Log lines as the log pipeline reads them."""

import datetime
import json
import logging
import logging.config
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery.utils.log import get_task_logger
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext
from uvicorn.config import LOGGING_CONFIG

from mangakai_instrumentation import logs

Lines = Callable[[], list[dict[str, Any]]]
LOGGER = logging.getLogger("mangakai.pages")


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave the loggers as they were, those of pytest above all."""
    monkeypatch.delenv("LOG_LEVEL", raising=False)
    loggers = [logging.getLogger(name) for name in ("", *logs._OTHERS)]
    before = [(logger, [*logger.handlers], logger.level, logger.propagate) for logger in loggers]
    yield
    logging.captureWarnings(False)
    for logger, handlers, level, propagate in before:
        logger.handlers[:], logger.level, logger.propagate = handlers, level, propagate


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """What gives the lines that were written since it was asked last."""

    def read() -> list[dict[str, Any]]:
        written = capsys.readouterr()
        assert written.err == ""
        return [json.loads(line) for line in written.out.splitlines()]

    return read


def test_a_line_is_an_object_with_the_names_of_ecs(lines: Lines) -> None:
    logs.set_up()
    LOGGER.warning("page %s:\nno ink, 没墨水", 7, extra={"manga": 3})
    (line,) = lines()
    written = datetime.datetime.fromisoformat(line.pop("@timestamp"))
    assert abs(datetime.datetime.now(datetime.UTC) - written) < datetime.timedelta(seconds=5)
    assert line == {
        "log.level": "warning",
        "message": "page 7:\nno ink, 没墨水",
        "log": {"logger": "mangakai.pages"},
        "manga": 3,
        "ecs.version": line["ecs.version"],
    }


def test_what_others_have_added_stays(lines: Lines, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger().addHandler(logging.StreamHandler())
    logs.set_up()
    LOGGER.warning("page 7 is not drawn")
    assert [line["message"] for line in lines()] == ["page 7 is not drawn"]
    assert caplog.messages == ["page 7 is not drawn"]


def test_a_line_within_a_span_leads_to_its_trace(lines: Lines) -> None:
    logs.set_up()
    with trace.use_span(NonRecordingSpan(SpanContext(0xABC, 0xDEF, is_remote=False))):
        LOGGER.info("within")
    LOGGER.info("without")
    within, without = lines()
    assert within["trace"] == {"id": f"{0xABC:032x}", "kept": False}
    assert within["span"] == {"id": f"{0xDEF:016x}"}
    assert not {"trace", "span"} & without.keys()


def test_an_exception_is_part_of_its_line(lines: Lines) -> None:
    logs.set_up()
    try:
        raise ValueError("no ink")
    except ValueError:
        LOGGER.exception("page 7 is not drawn")
    (line,) = lines()
    assert line["message"] == "page 7 is not drawn"
    assert (line["error"]["type"], line["error"]["message"]) == ("ValueError", "no ink")
    assert 'raise ValueError("no ink")' in line["error"]["stack_trace"]


@pytest.mark.parametrize("name", ["error", "log", "trace", "span"])
def test_no_line_is_lost_for_the_names_that_it_gives(lines: Lines, name: str) -> None:
    logs.set_up()
    with trace.use_span(NonRecordingSpan(SpanContext(0xABC, 0xDEF, is_remote=False))):
        try:
            raise ValueError("no ink")
        except ValueError:
            LOGGER.exception("page 7 is not drawn", extra={name: "whatever"})
    (line,) = lines()
    assert line["error"]["type"] == "ValueError"
    assert line["trace"]["id"] == f"{0xABC:032x}"
    assert "whatever" in str(line)


def test_no_line_is_lost_for_what_it_says(lines: Lines) -> None:
    logs.set_up()
    LOGGER.info("half a character: \ud83d", extra={"page": object(), "pages": {1, 2}})
    (line,) = lines()
    assert line["message"].startswith("half a character: ")


@pytest.mark.parametrize("name", ["uvicorn.error", "uvicorn.access", "gunicorn.error", "celery.worker", "task"])
def test_servers_and_workers_write_the_same_lines(lines: Lines, name: str) -> None:
    logging.config.dictConfig({**LOGGING_CONFIG, "disable_existing_loggers": False})
    for other in ("celery", "celery.task", "gunicorn.error"):
        logging.getLogger(other).addHandler(logging.StreamHandler())
        logging.getLogger(other).propagate = False
    logs.set_up()
    logger = get_task_logger("mangakai.tasks") if name == "task" else logging.getLogger(name)
    logger.info('"%s" %s', "GET /", 200, extra={"color_message": "red"})
    (line,) = lines()
    assert line["message"] == '"GET /" 200'
    assert line["log"] == {"logger": logger.name}
    assert "color_message" not in line


def test_a_warning_is_a_line(lines: Lines) -> None:
    logs.set_up()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("the ink is old", stacklevel=1)
    (line,) = lines()
    assert (line["log.level"], line["log"]["logger"]) == ("warning", "py.warnings")
    assert "the ink is old" in line["message"]


@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("DEBUG", ["debug", "info", "error"]),
        ("debug", ["debug", "info", "error"]),
        ("INFO", ["info", "error"]),
        ("Warning", ["error"]),
        ("loud", ["info", "error"]),
        ("", ["info", "error"]),
    ],
)
def test_the_level_is_that_of_the_environment(
    lines: Lines, monkeypatch: pytest.MonkeyPatch, level: str, written: list[str]
) -> None:
    monkeypatch.setenv("LOG_LEVEL", level)
    logs.set_up()
    for name in ("debug", "info", "error"):
        getattr(LOGGER, name)("a")
    assert [line["log.level"] for line in lines()] == written


def test_a_workers_own_level_counts_where_the_environment_has_none(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.set_up(logging.ERROR)
    LOGGER.warning("not written")
    monkeypatch.setenv("LOG_LEVEL", "INFO")
    logs.set_up(logging.ERROR)
    LOGGER.info("written")
    assert [line["message"] for line in lines()] == ["written"]


def test_to_set_up_twice_doubles_no_line(lines: Lines) -> None:
    logs.set_up()
    logs.set_up()
    LOGGER.info("once")
    assert [line["message"] for line in lines()] == ["once"]


def test_a_server_that_is_set_up_afterwards_writes_the_same_lines(lines: Lines) -> None:
    logs.set_up()
    logging.getLogger().setLevel(logging.ERROR)
    logging.config.dictConfig({**LOGGING_CONFIG, "disable_existing_loggers": False})
    logs.take_over()
    logging.getLogger("uvicorn.access").info("answered")
    LOGGER.warning("the application has a level of its own")
    assert [line["message"] for line in lines()] == ["answered"]


def test_a_stack_is_part_of_its_line(lines: Lines) -> None:
    logs.set_up()
    LOGGER.info("here", stack_info=True)
    (line,) = lines()
    assert "test_a_stack_is_part_of_its_line" in line["error"]["stack_trace"]
