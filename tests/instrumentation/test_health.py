"""`/live`, `/ready` and `/health`, asked in this process, with checks that are real and checks that are not."""

import asyncio
import contextlib
import http.server
import logging
import socketserver
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import httpx
import pytest
import redis as redis_sync
import redis.asyncio as redis_async
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.responses import JSONResponse
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from starlette.middleware.httpsredirect import HTTPSRedirectMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from mangakai_instrumentation import gemini_api, health, s3, statements, tracing
from sandbox.demo.watch import Watch
from tests.serving import serving

CLOSED_PORT, CLUSTER_PORT = 1, 28616
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


class Stubborn:
    """A check that, where it hangs, does not end when it is cancelled."""

    def __init__(self) -> None:
        self.hangs, self.asked = False, 0

    async def __call__(self) -> None:
        self.asked += 1
        while self.hangs:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(3)
                self.hangs = False


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
    health.answer_probes(app, own, external or {})
    return app


async def ask_together(app: FastAPI, *paths: str) -> list[Answer]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://backend") as client:
        answers = await asyncio.gather(*(client.get(path) for path in paths))
    return [(answer.status_code, answer.json()) for answer in answers]


def ask(app: FastAPI, path: str) -> Answer:
    return asyncio.run(ask_together(app, path))[0]


def ask_as(app: FastAPI, path: str, method: str, root_path: str = "") -> int:
    """Return the status of an answer."""

    async def request() -> int:
        transport = httpx.ASGITransport(app, root_path=root_path)
        async with httpx.AsyncClient(transport=transport, base_url="http://backend") as client:
            return (await client.request(method, path)).status_code

    return asyncio.run(request())


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
def redis_cluster(folder: Path) -> Iterator[int]:
    """Run a cluster of one node, and give its port."""
    own = ["--bind", "127.0.0.1", "--save", "", "--cluster-enabled", "yes", "--cluster-port", str(CLUSTER_PORT + 1)]
    command = ["redis-server", "--port", str(CLUSTER_PORT), "--dir", str(folder), *own]
    with (
        subprocess.Popen(command, stdout=subprocess.DEVNULL) as process,
        redis_sync.Redis(port=CLUSTER_PORT, host="127.0.0.1") as node,
    ):
        try:
            assert Watch.wait(lambda: _is_up(node), 10)
            node.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            assert Watch.wait(lambda: node.cluster("INFO")["cluster_state"] == "ok", 10)
            yield CLUSTER_PORT
        finally:
            process.terminate()


def _is_up(node: redis_sync.Redis) -> bool:
    with contextlib.suppress(redis_sync.ConnectionError):
        return bool(node.ping())
    return False


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


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a busy machine takes to answer is no matter."""
    monkeypatch.setattr(health, "CHECK_SECONDS", 20)
    monkeypatch.setattr(health, "PATIENCE_SECONDS", 20)


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
        # Others log too where an earlier test has set logging up.
        first, second = (record for record in caplog.records if record.name == health.__name__)
        assert (first.getMessage(), second.getMessage()) == (
            "The check of database failed",
            "The check of gemini failed",
        )
        assert first.levelno == logging.WARNING
        assert SECRET in caplog.text


class TestReached:
    """What stands before the application does not stand before its probes."""

    @pytest.fixture
    def guarded(self) -> FastAPI:
        """An application that refuses everybody, by its dependencies and by its middleware."""

        async def refuse(key: Annotated[str, Header()]) -> None:
            raise HTTPException(401, f"{key} is none")

        app = FastAPI(dependencies=[Depends(refuse)])
        app.get("/mangas")(lambda: None)
        health.answer_probes(app, {"database": Switch()}, {})

        @app.middleware("http")
        async def refuse_all(_: Request, __: object) -> JSONResponse:
            return JSONResponse({}, 401)

        app.add_middleware(TrustedHostMiddleware, allowed_hosts=["mangakai.com"])
        app.add_middleware(HTTPSRedirectMiddleware)
        return app

    def test_nobody_is_refused(self, guarded: FastAPI) -> None:
        for path in health.PATHS:
            assert ask(guarded, path)[0] == 200
            assert ask_as(guarded, path, "HEAD") == 200
            assert ask_as(guarded, path, "POST") == 405
        assert ask_as(guarded, "/mangas", "GET") == 307
        assert ask_as(guarded, "/mangas/live", "GET") == 307

    def test_nobody_is_refused_by_dependencies_alone(self) -> None:
        async def refuse() -> None:
            raise HTTPException(401)

        app = FastAPI(dependencies=[Depends(refuse)])
        health.answer_probes(app, {}, {})
        assert [ask(app, path)[0] for path in health.PATHS] == [200, 200, 200]

    def test_a_root_path_changes_nothing(self) -> None:
        app = application({})
        assert ask_as(app, "/proxied/live", "GET", root_path="/proxied") == 200
        assert ask_as(app, "/other/live", "GET", root_path="/proxied") == 404


class TestTime:
    """How long checks take, and how long their answers count."""

    @pytest.mark.requirement("S-111", "S-112")
    def test_times_are_measured(self) -> None:
        checks: dict[str, health.Check] = {"slow": Switch(seconds=0.1), "fast": Switch(), "failing": Switch(False, 0.1)}
        found = ask(application(checks), "/ready")[1]["checks"]
        assert 0.1 <= found["slow"]["response_time"] < 0.5
        assert 0 < found["fast"]["response_time"] < 0.1
        assert 0.1 <= found["failing"]["response_time"] < 0.5

    def test_the_first_verdict_is_waited_for_half_a_second(self) -> None:
        """The kubelet waits a second. Neither a coroutine nor a thread holds it up."""
        answers = threading.Event()
        bucket = s3(SimpleNamespace(head_bucket=lambda **_: answers.wait(20)), "pages")
        began = time.perf_counter()
        try:
            status, body = ask(application({"database": Switch(seconds=60), "bucket": bucket}), "/ready")
        finally:
            answers.set()
        assert health.PATIENCE_SECONDS <= time.perf_counter() - began < 0.9
        assert (status, body["status"]) == (503, "not_ready")
        assert {check["error"] for check in body["checks"].values()} == {"no answer yet"}

    def test_the_last_verdict_is_answered_while_a_check_runs(
        self, monkeypatch: pytest.MonkeyPatch, clock: Clock
    ) -> None:
        """D-154. A database that hangs takes no pod away, even where to cancel its check takes long, as of asyncpg."""
        monkeypatch.setattr(health, "CHECK_SECONDS", 1)
        database = Stubborn()
        app = application({"database": database})

        async def probe() -> list[tuple[int, str, float]]:
            found = []
            for _ in range(4):
                began = time.perf_counter()
                ((status, body),) = await ask_together(app, "/ready")
                found.append((status, body["status"], time.perf_counter() - began))
                database.hangs = True
                clock.pass_by(2)
                await asyncio.sleep(0.4)
            return found

        answers = asyncio.run(probe())
        assert [answer[:2] for answer in answers] == [(200, "ready"), (200, "ready"), (200, "ready"), (200, "degraded")]
        assert max(seconds for _, _, seconds in answers) < 0.9
        assert answers[2][2] < 0.3, "the check has had its time"
        assert database.asked == 2, "a check that does not end is not run again"

    def test_health_waits_for_a_verdict_of_now(self, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
        """No longer than a check has, which ends then for all who ask (D-153)."""
        monkeypatch.setattr(health, "CHECK_SECONDS", 0.8)
        database, gemini = Switch(), Switch()
        app = application({"database": database}, {"gemini": gemini})

        async def ask_twice() -> list[Answer]:
            found = await ask_together(app, "/health")
            clock.pass_by(100)
            database.seconds, gemini.seconds = 0.7, 60
            return found + await ask_together(app, "/health")

        (_, first), (_, second) = asyncio.run(ask_twice())
        assert [check["status"] for check in first["checks"].values()] == ["healthy", "healthy"]
        assert 0.7 <= second["checks"]["database"]["response_time"] < 0.8
        assert second["checks"]["gemini"]["error"] == "no answer within 0.8 s"
        assert 0.8 <= second["checks"]["gemini"]["response_time"] < 1.2

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


@pytest.mark.usefixtures("patient")
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

    def test_a_cluster_is_healthy_if_it_answers(self, tmp_path: Path) -> None:
        async def ask_of(port: int) -> Answer:
            client = redis_async.RedisCluster(host="127.0.0.1", port=port)
            (answer,) = await ask_together(application({"redis": health.redis_check(client)}), "/ready")
            await client.aclose()
            return answer

        with redis_cluster(tmp_path) as port:
            status, body = asyncio.run(ask_of(port))
            assert (status, body["checks"]["redis"]["status"]) == (200, "healthy")
            with redis_sync.RedisCluster(host="127.0.0.1", port=port) as client:
                assert ask(application({"redis": health.redis_check(client)}), "/ready")[0] == 200
        status, body = asyncio.run(ask_of(CLOSED_PORT))
        assert (status, body["checks"]["redis"]["status"]) == (503, "unhealthy")

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


@pytest.mark.usefixtures("patient")
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
        statements.trace_engines()
        self.assert_untraced(exporter, health.database_check(engine))

    def test_that_of_a_redis_is_none(self, exporter: InMemorySpanExporter) -> None:
        with redis_server() as port, redis_sync.Redis(port=port, host="127.0.0.1", protocol=2) as client:
            self.assert_untraced(exporter, health.redis_check(client))

    def test_that_of_gemini_is_none(self, exporter: InMemorySpanExporter) -> None:
        with gemini(200) as (address, _):
            self.assert_untraced(exporter, gemini_api(KEY, address))
