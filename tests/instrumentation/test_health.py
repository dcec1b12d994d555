"""`/live`, `/ready` and `/health`, asked in this process, with checks that are real and checks that are not."""

import asyncio
import http.server
import logging
import socketserver
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import redis as redis_sync
import redis.asyncio as redis_async
from fastapi import FastAPI
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from mangakai_instrumentation import gemini_api, health, s3, tracing
from tests.serving import serving

CLOSED_PORT = 1
SECRET = "hunter2hunter2"
KEY = "AIzaSecretOfGemini"
Answer = tuple[int, dict[str, Any]]


class Switch:
    """A check that one can turn off, and that counts how often it is asked."""

    def __init__(self, is_on: bool = True, seconds: float = 0) -> None:
        self.is_on, self.seconds, self.asked = is_on, seconds, 0

    async def __call__(self) -> None:
        self.asked += 1
        await asyncio.sleep(self.seconds)
        if not self.is_on:
            raise ConnectionError(f"postgresql://mangakai:{SECRET}@db/mangakai is away")


class Clock:
    """A clock that one can turn forward."""

    def __init__(self) -> None:
        self.now = 1000.0

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which answers grow old."""
    clock = Clock()
    times = SimpleNamespace(monotonic=lambda: clock.now, perf_counter=time.perf_counter, time=time.time)
    monkeypatch.setattr(health, "time", times)
    return clock


def application(own: Mapping[str, health.Check], external: Mapping[str, health.Check] | None = None) -> FastAPI:
    app = FastAPI()
    health.add_routes(app, own, external or {})
    return app


async def ask_together(app: FastAPI, *paths: str) -> list[Answer]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://backend") as client:
        answers = await asyncio.gather(*(client.get(path) for path in paths))
    return [(answer.status_code, answer.json()) for answer in answers]


def ask(app: FastAPI, path: str) -> Answer:
    return asyncio.run(ask_together(app, path))[0]


def check_of(checks: Mapping[str, health.Check], name: str) -> dict[str, Any]:
    """Return what /health says of a check of others."""
    found: dict[str, Any] = ask(application({}, checks), "/health")[1]["checks"][name]
    return found


@pytest.fixture(params=["sync", "async"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine | AsyncEngine]:
    if request.param == "sync":
        engine = create_engine(f"sqlite:///{tmp_path}/database")
        yield engine
        engine.dispose()
    else:
        async_engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/database")
        yield async_engine
        asyncio.run(async_engine.dispose())


@contextmanager
def redis_server() -> Iterator[int]:
    """Run what answers a client of Redis just enough, and give its port."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while header := self.rfile.readline():
                words = [self.rfile.read(int(self.rfile.readline()[1:]) + 2).strip() for _ in range(int(header[1:]))]
                answers = {b"HELLO": b"-ERR unknown command\r\n", b"PING": b"+PONG\r\n"}
                self.wfile.write(answers.get(words[0].upper(), b"+OK\r\n"))

    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as port:
        yield port


@contextmanager
def gemini(status: int) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """Run a Gemini API that answers with a status; give its address, and path and key of each request."""
    asked: list[tuple[str, str | None]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["x-goog-api-key"]))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield f"http://127.0.0.1:{port}", asked


class TestAnswers:
    """What the three routes say."""

    @pytest.mark.requirement("S-116")
    def test_a_process_that_answers_is_alive(self) -> None:
        status, body = ask(application({"database": Switch(is_on=False)}), "/live")
        assert (status, body["status"]) == (200, "alive")
        assert abs(body["timestamp"] - time.time()) < 5

    @pytest.mark.requirement("S-115")
    def test_ready_is_who_has_seen_each_of_its_own_once(self, clock: Clock) -> None:
        database, redis = Switch(is_on=False), Switch()
        app = application({"database": database, "redis": redis})
        status, body = ask(app, "/ready")
        assert (status, body["status"]) == (503, "not_ready")
        assert {name: check["status"] for name, check in body["checks"].items()} == {
            "database": "unhealthy",
            "redis": "healthy",
        }
        clock.pass_by(2)
        database.is_on, redis.is_on = True, False
        status, body = ask(app, "/ready")
        assert (status, body["status"]) == (200, "degraded")
        clock.pass_by(2)
        redis.is_on = True
        status, body = ask(app, "/ready")
        assert (status, body["status"]) == (200, "ready")
        clock.pass_by(2)
        database.is_on = redis.is_on = False
        status, body = ask(app, "/ready")
        assert (status, body["status"]) == (200, "degraded")

    def test_what_needs_nothing_is_ready(self) -> None:
        assert ask(application({}), "/ready") == (200, {"status": "ready", "checks": {}})

    @pytest.mark.requirement("S-114")
    def test_health_shows_all_and_never_fails(self, clock: Clock) -> None:
        database, gemini = Switch(), Switch()
        app = application({"database": database}, {"gemini": gemini})
        status, body = ask(app, "/health")
        assert (status, body["status"], body["checks"].keys()) == (200, "healthy", {"database", "gemini"})
        assert abs(body["timestamp"] - time.time()) < 5
        clock.pass_by(100)
        database.is_on = gemini.is_on = False
        status, body = ask(app, "/health")
        assert (status, body["status"]) == (200, "degraded")

    def test_what_others_offer_is_no_part_of_readiness(self) -> None:
        gemini = Switch(is_on=False)
        status, body = ask(application({"database": Switch()}, {"gemini": gemini}), "/ready")
        assert (status, body["status"], body["checks"].keys()) == (200, "ready", {"database"})
        assert gemini.asked == 0

    def test_they_are_no_part_of_the_applications_description(self) -> None:
        assert application({}).openapi()["paths"] == {}

    def test_a_stranger_learns_nothing_and_the_log_all(self, caplog: pytest.LogCaptureFixture) -> None:
        app = application({"database": Switch(is_on=False)}, {"gemini": Switch(is_on=False)})
        for path in health.PATHS:
            _, body = ask(app, path)
            assert SECRET not in str(body)
            for check in body.get("checks", {}).values():
                assert check == {"status": "unhealthy", "error": "failed", "response_time": check["response_time"]}
        first, second = caplog.records
        assert (first.getMessage(), second.getMessage()) == (
            "The check of database failed",
            "The check of gemini failed",
        )
        assert first.levelno == logging.WARNING
        assert SECRET in caplog.text


class TestTime:
    """How long checks take, and how long their answers count."""

    @pytest.mark.requirement("S-111", "S-112")
    def test_times_are_measured(self) -> None:
        checks: dict[str, health.Check] = {"slow": Switch(seconds=0.1), "fast": Switch(), "failing": Switch(False, 0.1)}
        found = ask(application(checks), "/ready")[1]["checks"]
        assert 0.1 <= found["slow"]["response_time"] < 0.5
        assert 0 < found["fast"]["response_time"] < 0.1
        assert 0.1 <= found["failing"]["response_time"] < 0.5

    def test_who_does_not_answer_is_not_waited_for(self, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
        """D-153. Neither a coroutine nor a thread."""
        monkeypatch.setattr(health, "CHECK_SECONDS", 0.2)
        answers = threading.Event()
        bucket = s3(SimpleNamespace(head_bucket=lambda **_: answers.wait(20)), "pages")
        sleeper = Switch(seconds=60)
        app = application({"database": sleeper, "bucket": bucket})
        try:
            for _ in range(2):
                began = time.perf_counter()
                status, body = ask(app, "/ready")
                assert 0.2 <= time.perf_counter() - began < 1
                assert status == 503
                for check in body["checks"].values():
                    assert check["status"] == "unhealthy"
                    assert check["error"] == "no answer within 0.2 s"
                    assert 0.2 <= check["response_time"] < 1
                clock.pass_by(2)
        finally:
            answers.set()
        sleeper.seconds = 0
        assert ask(app, "/ready")[0] == 200

    def test_checks_run_side_by_side(self) -> None:
        began = time.perf_counter()
        ask(application({f"check {number}": Switch(seconds=0.2) for number in range(5)}), "/ready")
        assert time.perf_counter() - began < 0.8

    def test_many_probes_are_one_question(self, clock: Clock) -> None:
        database = Switch(seconds=0.05)
        app = application({"database": database})
        answers = asyncio.run(ask_together(app, *["/ready", "/health"] * 10))
        assert {status for status, _ in answers} == {200}
        assert database.asked == 1
        clock.pass_by(0.9)
        ask(app, "/ready")
        assert database.asked == 1
        clock.pass_by(0.2)
        ask(app, "/ready")
        assert database.asked == 2

    def test_others_are_asked_once_a_minute(self, clock: Clock) -> None:
        gemini = Switch(is_on=False)
        app = application({}, {"gemini": gemini})
        for _ in range(10):
            ask(app, "/health")
            clock.pass_by(5.9)
        assert gemini.asked == 1
        clock.pass_by(2)
        ask(app, "/health")
        assert gemini.asked == 2


class TestChecks:
    """The checks themselves."""

    @pytest.mark.requirement("S-111")
    def test_a_database_that_answers_is_healthy(self, engine: Engine | AsyncEngine) -> None:
        status, body = ask(application({"database": health.database_check(engine)}), "/ready")
        assert (status, body["checks"]["database"]["status"]) == (200, "healthy")

    def test_each_check_of_a_database_has_its_own_connection(self, engine: Engine | AsyncEngine) -> None:
        """D-156. So that one that went wrong spoils no other, and each is given back."""
        sync_engine = engine.sync_engine if isinstance(engine, AsyncEngine) else engine
        happened: list[str] = []
        event.listen(sync_engine, "checkout", lambda *_: happened.append("out"))
        event.listen(sync_engine, "checkin", lambda *_: happened.append("in"))
        fails = [True]

        @event.listens_for(sync_engine, "before_cursor_execute")
        def fail_once(*_: object) -> None:
            if fails and fails.pop():
                raise RuntimeError("the transaction is aborted")

        async def check_together() -> list[object]:
            check = health.database_check(engine)
            found: list[object] = await asyncio.gather(*(check() for _ in range(3)), return_exceptions=True)
            return found

        assert [type(found) for found in asyncio.run(check_together())].count(RuntimeError) == 1
        assert (happened.count("out"), happened.count("in")) == (3, 3)

    @pytest.mark.parametrize("library", [redis_sync, redis_async])
    @pytest.mark.requirement("S-112")
    def test_a_redis_that_answers_is_healthy(self, library: Any, caplog: pytest.LogCaptureFixture) -> None:
        async def ask_both(port: int) -> list[Answer]:
            answers = []
            for number in (port, CLOSED_PORT):
                client = library.Redis(port=number, host="127.0.0.1", retry=None, protocol=2)
                answers += await ask_together(application({"redis": health.redis_check(client)}), "/ready")
                await client.aclose() if library is redis_async else client.close()
            return answers

        with redis_server() as port:
            (up, found), (down, nothing) = asyncio.run(ask_both(port))
        assert (up, found["checks"]["redis"]["status"]) == (200, "healthy"), caplog.text
        assert (down, nothing["checks"]["redis"]["status"]) == (503, "unhealthy")
        assert "can't be used in 'await'" not in caplog.text

    @pytest.mark.requirement("S-113")
    def test_gemini_is_asked_with_the_key_where_no_log_shows_it(self, caplog: pytest.LogCaptureFixture) -> None:
        with gemini(200) as (address, asked):
            assert check_of({"gemini": gemini_api(KEY, address)}, "gemini")["status"] == "healthy"
        with gemini(403) as (address, also_asked):
            assert check_of({"gemini": gemini_api(KEY, address)}, "gemini")["status"] == "unhealthy"
        assert asked == also_asked == [("/v1beta/models?pageSize=1", KEY)]
        assert "403" in caplog.text
        assert KEY not in caplog.text

    @pytest.mark.requirement("S-113")
    def test_a_bucket_that_is_seen_is_healthy(self) -> None:
        asked: list[dict[str, str]] = []

        def refuse(**_: str) -> None:
            raise PermissionError("403")

        assert check_of({"s3": s3(SimpleNamespace(head_bucket=lambda **what: asked.append(what)), "pages")}, "s3")[
            "status"
        ] == "healthy"  # fmt: skip
        assert asked == [{"Bucket": "pages"}]
        assert check_of({"s3": s3(SimpleNamespace(head_bucket=refuse), "pages")}, "s3")["status"] == "unhealthy"


class TestTraces:
    """No check is a trace: there would be one each few seconds, for ever."""

    @pytest.fixture
    def exporter(self) -> Iterator[InMemorySpanExporter]:
        exporter = InMemorySpanExporter()
        tracing._provider().add_span_processor(SimpleSpanProcessor(exporter))
        for instrumentor in (RedisInstrumentor, HTTPXClientInstrumentor):
            instrumentor().instrument()
        yield exporter
        for instrumentor in (RedisInstrumentor, HTTPXClientInstrumentor, SQLAlchemyInstrumentor):
            if instrumentor().is_instrumented_by_opentelemetry:
                instrumentor().uninstrument()
        exporter.shutdown()

    @staticmethod
    def assert_untraced(exporter: InMemorySpanExporter, check: Callable[[], Awaitable[object]]) -> None:
        async def directly() -> None:
            await check()

        asyncio.run(directly())
        assert exporter.get_finished_spans(), "it would not be seen"
        exporter.clear()
        app = application({"it": check})
        tracing.trace_app(app, health.PATHS)
        assert ask(app, "/ready")[0] == 200
        assert [span.name for span in exporter.get_finished_spans()] == []

    def test_that_of_a_database_is_none(self, exporter: InMemorySpanExporter, engine: Engine | AsyncEngine) -> None:
        tracing.trace_database(engine)
        self.assert_untraced(exporter, health.database_check(engine))

    def test_that_of_a_redis_is_none(self, exporter: InMemorySpanExporter) -> None:
        with redis_server() as port, redis_sync.Redis(port=port, host="127.0.0.1", protocol=2) as client:
            self.assert_untraced(exporter, health.redis_check(client))

    def test_that_of_gemini_is_none(self, exporter: InMemorySpanExporter) -> None:
        with gemini(200) as (address, _):
            self.assert_untraced(exporter, gemini_api(KEY, address))
