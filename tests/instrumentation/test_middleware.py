"""The metrics of requests and WebSockets, on small applications in this process."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, BackgroundTasks, FastAPI, HTTPException, Request, WebSocket
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from opentelemetry.trace import SpanContext, TraceFlags
from prometheus_client import REGISTRY
from prometheus_client.openmetrics.exposition import generate_latest
from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.routing import Host, Mount, Route
from starlette.types import Message, Receive, Scope, Send

from components.metrics.rule_files import steps, threshold
from mangakai_instrumentation import metrics, middleware, tracing

Series = tuple[str, str, str]
Counts = dict[Series, float]
GONE: Message = {"type": "http.disconnect"}
EMPTY: Message = {"type": "http.request", "body": b"", "more_body": False}


@pytest.fixture(params=["traced", "untraced"])
def app(request: pytest.FixtureRequest) -> FastAPI:
    """An application that is measured; FastAPI knows the templates of its routes where it traces."""
    tracing._provider()
    app = FastAPI(telemetry={"tracing": request.param == "traced", "metrics": False, "logs": False})
    middleware.measure(app)
    return app


def counts() -> Counts:
    """Return the requests that were counted, by method, endpoint and status."""
    return {
        (sample.labels["method"], sample.labels["endpoint"], sample.labels["status"]): sample.value
        for metric in metrics.REQUEST_COUNT.collect()
        for sample in metric.samples
    }


def duration(part: str, endpoint: str, method: str = "GET") -> float:
    labels = {"method": method, "endpoint": endpoint}
    return REGISTRY.get_sample_value(f"http_request_duration_seconds_{part}", labels) or 0


def connections() -> float | None:
    return REGISTRY.get_sample_value("websocket_connections_active")


class Counting:
    """What is counted within a block. Whatever is counted has a duration, and whatever has one is counted."""

    def __enter__(self) -> Counts:
        self._before, self._found = counts(), Counts()
        self._seconds = self._durations()
        return self._found

    def __exit__(self, *_: object) -> None:
        after = counts()
        self._found.update({key: after[key] - self._before.get(key, 0) for key in after})
        for key in [key for key, count in self._found.items() if not count]:
            del self._found[key]
        assert self._durations() - self._seconds == sum(self._found.values())

    @staticmethod
    def _durations() -> float:
        samples = [sample for metric in metrics.REQUEST_DURATION.collect() for sample in metric.samples]
        return sum(sample.value for sample in samples if sample.name.endswith("_count"))


def ask(app: FastAPI, *paths: str, method: str = "GET", raises: bool = True) -> list[httpx.Response]:
    async def ask_all() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=raises)
        async with httpx.AsyncClient(transport=transport, base_url="http://backend") as client:
            return [await client.request(method, path) for path in paths]

    return asyncio.run(ask_all())


def counted(app: FastAPI, *paths: str, method: str = "GET") -> Counts:
    with Counting() as found:
        ask(app, *paths, method=method)
    return found


def scope(kind: str, path: str) -> Scope:
    return {"type": kind, "path": path, "method": "GET", "headers": [], "query_string": b"", "subprotocols": []}


async def run(app: FastAPI, scope: Scope, *received: Message) -> list[str]:
    """Run an application as a server would whose client does no more than `received`, and return what it sends."""
    sent: list[str] = []
    left = iter(received)

    async def receive() -> Message:
        for message in left:
            return message
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message["type"])

    await app(scope, receive, send)
    return sent


@pytest.mark.requirement("S-099", "S-107")
def test_a_handler_returns_what_it_likes(app: FastAPI) -> None:
    @app.get("/returns/dict")
    async def read() -> dict[str, int]:
        return {"x": 1}

    with Counting() as found:
        (answer,) = ask(app, "/returns/dict")
    assert (answer.status_code, answer.json()) == (200, {"x": 1})
    assert found == {("GET", "/returns/dict", "200"): 1}


def test_a_client_error_is_no_server_error(app: FastAPI) -> None:
    @app.get("/missing/{number}")
    async def read(number: int) -> None:
        raise HTTPException(404, f"there is no {number}")

    assert counted(app, "/missing/1") == {("GET", "/missing/{number}", "404"): 1}
    assert counted(app, "/missing/one") == {("GET", "/missing/{number}", "422"): 1}


@pytest.mark.requirement("S-107")
def test_an_unhandled_exception_is_a_server_error_and_stays_one(app: FastAPI) -> None:
    @app.get("/broken")
    async def read() -> None:
        raise RuntimeError("no ink")

    with Counting() as found, pytest.raises(RuntimeError, match="no ink"):
        ask(app, "/broken")
    assert found == {("GET", "/broken", "500"): 1}
    with Counting() as found:
        (answer,) = ask(app, "/broken", raises=False)
    assert answer.status_code == 500
    assert found == {("GET", "/broken", "500"): 1}


def test_the_endpoint_is_the_template_of_the_route(app: FastAPI) -> None:
    @app.get("/d/{number}")
    async def read(number: int) -> int:
        return number

    @app.get("/files/{path:path}")
    async def read_file(path: str) -> str:
        return path

    assert counted(app, "/d/1", "/d/2", "/d/3?x=1") == {("GET", "/d/{number}", "200"): 3}
    (endpoint,) = {endpoint for _, endpoint, _ in counted(app, "/files/a", "/files/a/b")}
    # As `routes` has it, with whose series of zeros it must be one.
    assert ("GET", endpoint) in middleware.routes(app)


def test_the_template_has_the_prefixes_of_its_routers(app: FastAPI) -> None:
    """D-137. Two routers that are included twice are not one endpoint."""
    chapters, mangas = APIRouter(prefix="/chapters"), APIRouter(prefix="/mangas")

    @chapters.get("/{number}")
    async def read(number: int) -> int:
        return number

    mangas.include_router(chapters, prefix="/{manga}")
    app.include_router(mangas, prefix="/v1")
    app.include_router(mangas, prefix="/v2")
    found = counted(app, "/v1/mangas/7/chapters/1", "/v2/mangas/8/chapters/2")
    assert found == {
        ("GET", "/v1/mangas/{manga}/chapters/{number}", "200"): 1,
        ("GET", "/v2/mangas/{manga}/chapters/{number}", "200"): 1,
    }
    assert {(method, endpoint) for method, endpoint, _ in found} <= set(middleware.routes(app))


def test_the_template_has_the_mount(app: FastAPI) -> None:
    inner, deep = FastAPI(), FastAPI()

    @inner.get("/s/{number}")
    async def read(number: int) -> int:
        return number

    async def assets(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("body {}")(scope, receive, send)

    deep.mount("/two", inner)
    app.mount("/sub", inner)
    app.mount("/one", deep)
    app.mount("/assets", assets)
    app.mount("/old", Starlette(routes=[Mount("/assets", assets), Route("/{a}", PlainTextResponse("a"))]))
    assert counted(app, "/sub/s/1", "/sub/s/2") == {("GET", "/sub/s/{number}", "200"): 2}
    assert counted(app, "/one/two/s/1") == {("GET", "/one/two/s/{number}", "200"): 1}
    assert counted(app, "/sub/a", "/sub/b") == {("GET", "/sub", "404"): 2}
    assert counted(app, "/assets/a.css", "/assets/b/c.css") == {("GET", "/assets", "200"): 2}
    assert counted(app, "/old/assets/a.css") == {("GET", "/old/assets", "200"): 1}
    assert counted(app, "/old/x", "/old/y") == {("GET", "/old/{a}", "200"): 2}


def test_a_mount_has_its_own_template(app: FastAPI) -> None:
    inner = FastAPI()

    @inner.get("/pages/{page}")
    async def read(page: int) -> int:
        return page

    app.mount("/mangas/{manga}", inner)
    found = counted(app, "/mangas/1/pages/1", "/mangas/2/pages/1", "/mangas/2/pages/2", "/mangas/one/nowhere")
    assert found == {("GET", "/mangas/{manga}/pages/{page}", "200"): 3, ("GET", "/mangas/{manga}", "404"): 1}


def test_a_mount_with_typed_parameters_is_one_endpoint(app: FastAPI) -> None:
    """D-137. As text, /i/007 is not the 7 that it means."""
    inner = FastAPI()

    @inner.get("/pages/{page}")
    async def read(page: int) -> int:
        return page

    for kind in ("int", "float", "uuid"):
        app.mount(f"/{kind}/{{value:{kind}}}", inner)
    app.mount("/{tenant}", inner)
    upper = "0A0A0A0A-0000-4000-8000-00000000000A"
    found = counted(
        app, "/int/007/pages/1", "/int/7/pages/1", "/float/1.00/pages/1", f"/uuid/{upper}/pages/1", "/pages/pages/1"
    )
    assert found == {
        ("GET", "/int/{value}/pages/{page}", "200"): 2,
        ("GET", "/float/{value}/pages/{page}", "200"): 1,
        ("GET", "/uuid/{value}/pages/{page}", "200"): 1,
        ("GET", "/{tenant}/pages/{page}", "200"): 1,
    }


def test_routes_of_starlette_are_endpoints(app: FastAPI) -> None:
    router = APIRouter()
    router.add_route("/plain/{a}", lambda _: PlainTextResponse("a"))
    app.add_route("/plain/{a}", lambda _: PlainTextResponse("a"))
    app.include_router(router, prefix="/v1")
    app.router.routes.append(Host("cdn.example.com", Starlette(routes=[Route("/{file}", PlainTextResponse("a"))])))
    assert counted(app, "/docs", "/openapi.json", "/plain/1", "/plain/2", "/v1/plain/1") == {
        ("GET", "/docs", "200"): 1,
        ("GET", "/openapi.json", "200"): 1,
        ("GET", "/plain/{a}", "200"): 2,
        ("GET", "/v1/plain/{a}", "200"): 1,
    }
    assert counted(app, "http://cdn.example.com/a.css") == {("GET", "/{file}", "200"): 1}


def test_what_takes_every_path_is_one_endpoint(app: FastAPI) -> None:
    rest, site = FastAPI(), FastAPI()

    @rest.get("/{path:path}")
    async def read(path: str) -> str:
        return path

    app.mount("/rest", rest)
    app.mount("/", site)
    assert counted(app, "/rest/a", "/rest/b/c", "/nowhere") == {
        ("GET", "/rest/{path}", "200"): 2,
        ("GET", "/", "404"): 1,
    }


def test_a_root_path_changes_nothing(app: FastAPI) -> None:
    """As uvicorn --root-path has it: the path begins with it."""

    inner = FastAPI()

    @app.get("/rooted/{number}")
    @inner.get("/{number}")
    async def read(number: int = 0) -> int:
        return number

    app.mount("/mounted", inner)
    with Counting() as found:
        for path in ("/proxied/rooted/1", "/proxied/mounted/1"):
            asyncio.run(run(app, {**scope("http", path), "root_path": "/proxied"}))
    assert found == {("GET", "/rooted/{number}", "200"): 1, ("GET", "/mounted/{number}", "200"): 1}


def test_strangers_make_no_series(app: FastAPI) -> None:
    """D-137. A scanner must not be able to make a series of each path and each method that it thinks of."""

    @app.get("/known")
    async def read() -> None: ...

    assert counted(app, "/wp-admin", "/.env") == {("GET", "unmatched", "404"): 2}
    assert {endpoint for _, endpoint, _ in counted(app, "/known/")} <= {"unmatched", "/known"}
    assert counted(app, "/known", method="BREW") == {("OTHER", "/known", "405"): 1}
    assert counted(app, "/known", method="get2") == {("OTHER", "/known", "405"): 1}


def test_what_a_middleware_answers_is_counted(app: FastAPI) -> None:
    @app.middleware("http")
    async def refuse(_: Request, __: Callable[[Request], Awaitable[Any]]) -> Any:
        return JSONResponse({}, 401)

    assert counted(app, "/whatever") == {("GET", "unmatched", "401"): 1}


def test_a_cancelled_request_is_counted(app: FastAPI) -> None:
    @app.get("/slow")
    async def read() -> None:
        await asyncio.sleep(60)

    async def cancel() -> None:
        request = asyncio.create_task(run(app, scope("http", "/slow")))
        await asyncio.sleep(0.05)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request

    with Counting() as found:
        asyncio.run(cancel())
    assert found == {("GET", "/slow", "499"): 1}


def test_who_is_gone_before_the_answer_got_none(app: FastAPI) -> None:
    @app.get("/patient")
    async def wait(request: Request) -> str:
        assert await request.is_disconnected()
        return "too late"

    @app.post("/upload")
    async def upload(request: Request) -> int:
        return len(await request.body())

    with Counting() as found:
        asyncio.run(run(app, scope("http", "/patient"), GONE))
    assert found == {("GET", "/patient", "499"): 1}
    with Counting() as found, pytest.raises(ClientDisconnect):
        asyncio.run(run(app, {**scope("http", "/upload"), "method": "POST"}, GONE))
    assert found == {("POST", "/upload", "499"): 1}


def test_a_client_that_left_is_seen_though_the_handler_does_not_ask(app: FastAPI) -> None:
    @app.get("/unasked")
    async def read() -> str:
        return "too late"

    @app.get("/unasked/sync")
    def read_in_thread() -> str:
        return "too late"

    @app.get("/unasked/broken")
    async def fail() -> None:
        raise RuntimeError("no ink")

    with Counting() as found:
        for path in ("/unasked", "/unasked/sync"):
            asyncio.run(run(app, scope("http", path), EMPTY, GONE))
            asyncio.run(run(app, scope("http", path), GONE))
        with pytest.raises(RuntimeError, match="no ink"):
            asyncio.run(run(app, scope("http", "/unasked/broken"), GONE))
    assert found == {
        ("GET", "/unasked", "499"): 2,
        ("GET", "/unasked/sync", "499"): 2,
        ("GET", "/unasked/broken", "500"): 1,
    }


def test_a_stream_is_measured_to_its_end(app: FastAPI) -> None:
    @app.get("/stream")
    async def read() -> StreamingResponse:
        async def parts() -> AsyncIterator[str]:
            for part in "abc":
                await asyncio.sleep(0.05)
                yield part

        return StreamingResponse(parts())

    before = duration("sum", "/stream")
    with Counting() as found:
        (answer,) = ask(app, "/stream")
    assert answer.text == "abc"
    assert found == {("GET", "/stream", "200"): 1}
    assert duration("sum", "/stream") - before >= 0.15


def test_what_a_client_does_not_wait_for_is_not_measured(app: FastAPI) -> None:
    """prometheus-fastapi-instrumentator 275 and 191, starlette_exporter 16."""
    background: list[str] = []

    async def work() -> None:
        await asyncio.sleep(0.3)
        background.append("done")

    @app.get("/background")
    async def read(tasks: BackgroundTasks) -> None:
        tasks.add_task(work)

    @app.get("/background/stream")
    async def read_stream(tasks: BackgroundTasks) -> StreamingResponse:
        tasks.add_task(work)
        return StreamingResponse(iter(["a", "b"]), background=tasks)

    with Counting() as found:
        ask(app, "/background", "/background/stream")
    assert background == ["done", "done"]
    for endpoint in ("/background", "/background/stream"):
        assert found["GET", endpoint, "200"] == 1
        assert duration("sum", endpoint) / duration("count", endpoint) < 0.2


def test_a_clock_that_is_set_back_does_not_matter(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    @app.get("/clock")
    async def read() -> None:
        await asyncio.sleep(0.02)

    now = itertools.count(2e9, -100)
    monkeypatch.setattr(time, "time", lambda: next(now))
    before = duration("sum", "/clock")
    ask(app, "/clock")
    assert 0.02 <= duration("sum", "/clock") - before < 5


@pytest.mark.parametrize("handler", ["returns", "raises"])
@pytest.mark.requirement("S-101")
def test_an_open_websocket_is_an_active_connection(app: FastAPI, handler: str) -> None:
    seen: list[float | None] = []

    @app.websocket("/socket")
    async def talk(socket: WebSocket) -> None:
        seen.append(connections())
        await socket.accept()
        seen.append(connections())
        if handler == "raises":
            raise RuntimeError("no ink")

    before = connections()
    assert before is not None
    with Counting() as found:
        if handler == "raises":
            with pytest.raises(RuntimeError, match="no ink"):
                asyncio.run(run(app, scope("websocket", "/socket"), {"type": "websocket.connect"}))
        else:
            asyncio.run(run(app, scope("websocket", "/socket"), {"type": "websocket.connect"}))
    assert (seen, connections()) == ([before, before + 1], before)
    assert found == {}


def test_a_refused_websocket_is_no_connection(app: FastAPI) -> None:
    @app.websocket("/refusing")
    async def refuse(socket: WebSocket) -> None:
        await socket.close()

    before = connections()
    sent = asyncio.run(run(app, scope("websocket", "/refusing"), {"type": "websocket.connect"}))
    assert sent == ["websocket.close"]
    assert connections() == before


def test_the_lifespan_is_not_touched() -> None:
    happened: list[str] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        happened.append("start")
        yield
        happened.append("end")

    app = FastAPI(lifespan=lifespan)
    middleware.measure(app)
    messages = ({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    with Counting() as found:
        sent = asyncio.run(run(app, {"type": "lifespan"}, *messages))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert happened == ["start", "end"]
    assert found == {}


def test_each_threshold_is_the_edge_of_a_bucket() -> None:
    rules = [rule for by_severity in steps().values() for rule in by_severity.values()]
    about = [threshold(rule) for rule in rules if "http_request_duration_seconds" in rule["expr"]]
    assert about == [2]
    assert set(about) <= set(metrics.REQUEST_BUCKETS)


def test_tasks_of_a_second_and_of_an_hour_have_buckets() -> None:
    assert (metrics.TASK_BUCKETS[0], metrics.TASK_BUCKETS[-1]) == (1, 3600)
    metrics.start_at_zero(tasks=["tests.buckets"])
    for edge in metrics.TASK_BUCKETS:
        labels = {"task_name": "tests.buckets", "le": str(float(edge))}
        assert REGISTRY.get_sample_value("celery_task_duration_seconds_bucket", labels) == 0


def test_what_has_not_happened_is_zero(app: FastAPI) -> None:
    @app.get("/never/{number}")
    async def read(number: int) -> None: ...

    @app.delete("/never/{number}")
    async def delete(number: int) -> None: ...

    assert middleware.routes(app) == [("GET", "/never/{number}"), ("DELETE", "/never/{number}")]
    metrics.start_at_zero(routes=middleware.routes(app), tasks=["tests.never"])
    for method in ("GET", "DELETE"):
        for status in ("200", "500"):
            assert counts()[method, "/never/{number}", status] == 0
        assert REGISTRY.get_sample_value(
            "http_request_duration_seconds_count", {"method": method, "endpoint": "/never/{number}"}
        ) == 0  # fmt: skip
    for status in ("SUCCESS", "FAILURE"):
        labels = {"task_name": "tests.never", "status": status}
        assert REGISTRY.get_sample_value("celery_task_total", labels) == 0
    for status in ("success", "failure"):
        assert REGISTRY.get_sample_value("manga_generation_total", {"status": status}) == 0


def test_an_application_that_cannot_be_described_is_measured_all_the_same(app: FastAPI) -> None:
    class Page(BaseModel):
        draw: Callable[[int], int] | None = None

    @app.post("/undescribed")
    async def create(page: Page) -> bool:
        return page.draw is None

    with pytest.raises(PydanticInvalidForJsonSchema):
        app.openapi()
    metrics.start_at_zero(routes=middleware.routes(app))
    assert counted(app, "/undescribed", method="POST") == {("POST", "/undescribed", "422"): 1}


@pytest.mark.parametrize("is_sampled", [True, False])
def test_the_bucket_of_a_request_leads_to_its_trace_if_that_is_sampled(is_sampled: bool) -> None:
    endpoint = f"/sampled/{is_sampled}"
    span = SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=TraceFlags(int(is_sampled)))
    metrics.observe_request("GET", endpoint, 200, 0.3, span)
    page = generate_latest(REGISTRY).decode().splitlines()
    lines = [line for line in page if f'endpoint="{endpoint}"' in line and "trace_id" in line]
    assert len(lines) == is_sampled
    assert all('le="0.5"' in line and f'# {{trace_id="{0xABC:032x}"}}' in line for line in lines)
