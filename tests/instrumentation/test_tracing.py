"""Spans: of which functions and requests, what is in them, and which of them are sent."""

import asyncio
import contextlib
import inspect
import random
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from opentelemetry import trace
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NonRecordingSpan, NoOpTracerProvider, SpanContext, SpanKind, StatusCode, TraceFlags
from prometheus_client import REGISTRY
from prometheus_client.openmetrics.exposition import generate_latest

from mangakai_instrumentation import middleware, trace_function, tracing

SECRET = "hunter2hunter2"


@pytest.fixture(scope="module")
def exporter() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    tracing._provider().add_span_processor(SimpleSpanProcessor(exporter))
    yield exporter
    exporter.shutdown()


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Callable[[], list[ReadableSpan]]:
    """What gives the spans that have ended since the test began."""
    exporter.clear()
    return lambda: list(exporter.get_finished_spans())


@pytest.fixture
def new_provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], TracerProvider]]:
    """What gives a provider as a process has it that has just begun."""
    made: list[TracerProvider] = []
    monkeypatch.setattr(trace, "get_tracer_provider", NoOpTracerProvider)
    monkeypatch.setattr(trace, "set_tracer_provider", made.append)
    yield tracing._provider
    for provider in made:
        provider.shutdown()


def span_with(trace_id: int, name: str = "a") -> ReadableSpan:
    return ReadableSpan(name, SpanContext(trace_id, 1, is_remote=False, trace_flags=TraceFlags(1)))


class TestFunctions:
    """`trace_function`."""

    @pytest.mark.requirement("S-094")
    def test_a_call_is_a_span(self, spans: Callable[[], list[ReadableSpan]]) -> None:
        @trace_function()
        def draw(page: int) -> int:
            return page * 2

        @trace_function("manga.ink")
        def ink(page: int) -> int:
            return page * 3

        assert (draw(2), ink(page=2)) == (4, 6)
        first, second = spans()
        assert (first.name, second.name) == (f"{__name__}.draw", "manga.ink")
        assert first.attributes == second.attributes == {"component": "mangakai-backend"}
        assert first.status.status_code is StatusCode.UNSET

    def test_brackets_may_be_left_out(self, spans: Callable[[], list[ReadableSpan]]) -> None:
        @trace_function
        def draw(page: int) -> int:
            return page * 2

        @trace_function
        async def ink(page: int) -> int:
            return page * 3

        assert (draw(2), asyncio.run(ink(page=2))) == (4, 6)
        assert [span.name for span in spans()] == [f"{__name__}.draw", f"{__name__}.ink"]

    def test_the_component_is_the_service(
        self, spans: Callable[[], list[ReadableSpan]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OTEL_SERVICE_NAME", "mangakai-worker")
        trace_function()(len)("abc")
        assert spans()[0].attributes == {"component": "mangakai-worker"}

    def test_the_span_of_a_coroutine_lasts_as_long_as_it_runs(self, spans: Callable[[], list[ReadableSpan]]) -> None:
        @trace_function()
        async def draw() -> str:
            await asyncio.sleep(0.05)
            return "page"

        waiting = draw()
        assert spans() == []
        assert asyncio.run(waiting) == "page"
        (span,) = spans()
        assert span.end_time is not None
        assert span.start_time is not None
        assert span.end_time - span.start_time >= 50_000_000

    @pytest.mark.parametrize("kind", ["function", "coroutine"])
    @pytest.mark.requirement("S-094")
    def test_an_exception_is_recorded_and_goes_on(self, spans: Callable[[], list[ReadableSpan]], kind: str) -> None:
        error = ValueError("no ink")

        @trace_function()
        def draw() -> None:
            raise error

        @trace_function()
        async def draw_later() -> None:
            await asyncio.sleep(0)
            raise error

        with pytest.raises(ValueError, match="no ink") as caught:
            draw() if kind == "function" else asyncio.run(draw_later())
        assert caught.value is error
        (span,) = spans()
        assert span.status.status_code is StatusCode.ERROR
        (event,) = span.events
        assert event.name == "exception"
        assert event.attributes is not None
        assert event.attributes["exception.message"] == "no ink"

    def test_a_decorated_endpoint_keeps_its_signature(self) -> None:
        @trace_function()
        async def read(pages: int, size: int = 2) -> int:
            """Read."""
            return pages * size

        @trace_function()
        def read_in_thread(pages: int) -> int:
            return pages

        app = FastAPI()
        app.get("/read")(read)
        app.get("/thread")(read_in_thread)
        assert str(inspect.signature(read)) == "(pages: int, size: int = 2) -> int"
        assert (read.__name__, read.__doc__, inspect.iscoroutinefunction(read)) == ("read", "Read.", True)
        answers = ask(app, "/read?pages=3", "/read?pages=3&size=3", "/read", "/thread?pages=4")
        assert [answer.status_code for answer in answers] == [200, 200, 422, 200]
        assert [answer.text for answer in answers if answer.is_success] == ["6", "9", "4"]

    def test_what_a_function_calls_is_part_of_its_span(self, spans: Callable[[], list[ReadableSpan]]) -> None:
        class Page:
            @trace_function("ink")
            def ink(self) -> None: ...

        @trace_function("draw")
        async def draw() -> None:
            await asyncio.gather(asyncio.to_thread(Page().ink), shade())

        @trace_function("shade")
        async def shade() -> None:
            await asyncio.sleep(0)

        asyncio.run(draw())
        by_name = {span.name: span for span in spans()}
        assert by_name.keys() == {"draw", "ink", "shade"}
        parent = by_name["draw"].get_span_context()
        assert by_name["ink"].parent == by_name["shade"].parent == parent

    def test_a_generator_is_refused_with_the_remedy(self) -> None:
        def pages() -> Iterator[int]:
            yield 1

        async def more_pages() -> AsyncIterator[int]:
            yield 1

        for function in (pages, more_pages):
            with pytest.raises(TypeError, match="pages is a generator: open a span inside of it instead"):
                trace_function()(function)


class TestRequests:
    """`trace_app`, with the metrics around it."""

    @pytest.fixture
    def app(self) -> FastAPI:
        app = FastAPI()
        tracing.trace_app(app, ["/live"])
        middleware.measure(app)

        @app.get("/live")
        @app.get("/mangas/{number}/live")
        @app.get("/mangas/{number}")
        async def read(number: int = 0) -> int:
            return number

        return app

    def test_a_request_is_one_span(self, app: FastAPI, spans: Callable[[], list[ReadableSpan]]) -> None:
        """D-125. FastAPI itself would make four more."""
        ask(app, "/mangas/7")
        (span,) = spans()
        assert (span.name, span.kind, span.parent) == ("GET /mangas/{number}", SpanKind.SERVER, None)

    def test_the_span_has_the_prefixes_of_the_routers(
        self, app: FastAPI, spans: Callable[[], list[ReadableSpan]]
    ) -> None:
        router = APIRouter()
        router.get("/pages/{page}")(lambda page: page)
        app.include_router(router, prefix="/v1")
        ask(app, "/v1/pages/7")
        assert [span.name for span in spans()] == ["GET /v1/pages/{page}"]

    def test_only_probes_are_untraced(self, app: FastAPI, spans: Callable[[], list[ReadableSpan]]) -> None:
        ask(app, "/live", "/live?verbose=1")
        assert spans() == []
        ask(app, "/mangas/7/live")
        assert [span.name for span in spans()] == ["GET /mangas/{number}/live"]

    def test_the_bucket_leads_to_the_trace(self, app: FastAPI, spans: Callable[[], list[ReadableSpan]]) -> None:
        ask(app, "/mangas/7")
        context = spans()[0].get_span_context()
        assert context is not None
        lines = [line for line in generate_latest(REGISTRY).decode().splitlines() if "/mangas/{number}" in line]
        assert any(f'# {{trace_id="{context.trace_id:032x}"}}' in line for line in lines)


class TestScrubbed:
    """What of a span leaves the process."""

    @pytest.fixture
    def sent(self) -> InMemorySpanExporter:
        return InMemorySpanExporter()

    @pytest.fixture
    def tracer(self, sent: InMemorySpanExporter) -> Iterator[trace.Tracer]:
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(tracing.Scrubbed(sent)))
        yield provider.get_tracer("tests")
        provider.shutdown()

    def test_no_secret_is_sent(self, tracer: trace.Tracer, sent: InMemorySpanExporter) -> None:
        with contextlib.suppress(RuntimeError), tracer.start_as_current_span("a") as span:
            span.set_attribute("http.url", f"https://gemini/v1/models?key={SECRET}")
            span.set_attribute("http.target", f"/callback?code={SECRET}")
            span.set_attribute("url.query", f"code={SECRET}")
            span.set_attribute("http.request.header.authorization", [f"Bearer {SECRET}"])
            span.set_attribute("db.statement", f"ALTER USER a PASSWORD = '{SECRET}'")
            span.add_event("sent", {"token": SECRET, "body": f"password={SECRET}"})
            raise RuntimeError(f"postgresql://mangakai:{SECRET}@db/mangakai is away")
        (ended,) = sent.get_finished_spans()
        assert ended.status.status_code is StatusCode.ERROR
        assert "postgresql://[Filtered]@db/mangakai is away" in str(ended.status.description)
        assert [event.name for event in ended.events] == ["sent", "exception"]
        assert SECRET not in ended.to_json()

    def test_the_rest_stays(self, tracer: trace.Tracer) -> None:
        linked = trace.Link(SpanContext(3, 4, is_remote=True), {"a": 1})
        with tracer.start_as_current_span("parent"):
            span = tracer.start_span("a", kind=SpanKind.PRODUCER, links=[linked], attributes={"pages": 3, "b": [1, 2]})
            span.add_event("inked", {"page": 1})
            span.end()
        assert isinstance(span, ReadableSpan)
        assert tracing._scrubbed(span).to_json() == span.to_json()

    def test_a_worker_that_asks_for_work_is_no_trace(self, tracer: trace.Tracer, sent: InMemorySpanExporter) -> None:
        redis = {"db.system": "redis"}
        tracer.start_span("BRPOP", kind=SpanKind.CLIENT, attributes=redis).end()
        with tracer.start_as_current_span("request", kind=SpanKind.SERVER):
            tracer.start_span("GET", kind=SpanKind.CLIENT, attributes=redis).end()
        tracer.start_span("SELECT", kind=SpanKind.CLIENT, attributes={"db.system": "postgresql"}).end()
        assert [span.name for span in sent.get_finished_spans()] == ["GET", "request", "SELECT"]


class TestSampling:
    """Which spans are sent."""

    @pytest.mark.parametrize(("share", "least", "most"), [(0, 0, 0), (1, 1000, 1000), (0.5, 450, 550), (0.1, 70, 130)])
    def test_each_process_sends_the_same_share(
        self, new_provider: Callable[[], TracerProvider], share: float, least: int, most: int
    ) -> None:
        numbers = random.Random(7)  # noqa: S311
        ids = [numbers.getrandbits(128) for _ in range(1000)]
        found = []
        for _ in range(2):
            provider, exporter = new_provider(), InMemorySpanExporter()
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(trace, "get_tracer_provider", lambda provider=provider: provider)
                tracing.send_to(exporter, share)
            for trace_id in ids:
                provider._active_span_processor.on_end(span_with(trace_id))
            provider.force_flush()
            found.append([span.context.trace_id for span in exporter.get_finished_spans() if span.context])
        assert found[0] == found[1]
        assert least <= len(found[0]) <= most

    @pytest.mark.parametrize(("argument", "is_sent"), [("0", False), ("1", True)])
    def test_the_sampler_is_that_of_the_environment(
        self,
        new_provider: Callable[[], TracerProvider],
        monkeypatch: pytest.MonkeyPatch,
        argument: str,
        is_sent: bool,
    ) -> None:
        monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
        monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", argument)
        provider, exporter = new_provider(), InMemorySpanExporter()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        for _ in range(20):
            provider.get_tracer("tests").start_span("root").end()
        assert len(exporter.get_finished_spans()) == 20 * is_sent
        # Whoever asks has decided for the whole trace.
        asking = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1))
        context = trace.set_span_in_context(NonRecordingSpan(asking))
        provider.get_tracer("tests").start_span("child", context).end()
        assert exporter.get_finished_spans()[-1].name == "child"

    @pytest.mark.requirement("S-092")
    def test_spans_are_sent_in_batches_and_only_where_there_is_a_collector(
        self, new_provider: Callable[[], TracerProvider], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        added: list[object] = []
        monkeypatch.setattr(TracerProvider, "add_span_processor", lambda _, processor: added.append(processor))
        monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
        try:
            assert not tracing.set_up()
            assert added == []
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
            assert tracing.set_up()
            (processor,) = added
            assert isinstance(processor, BatchSpanProcessor)
            processor.shutdown()  # type: ignore[no-untyped-call]
            for instrumentor in (CeleryInstrumentor, HTTPXClientInstrumentor, RedisInstrumentor):
                assert instrumentor().is_instrumented_by_opentelemetry
        finally:
            for instrumentor in (CeleryInstrumentor, HTTPXClientInstrumentor, RedisInstrumentor):
                instrumentor().uninstrument()

    def test_what_waits_is_sent_at_the_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        provider, exporter = TracerProvider(), InMemorySpanExporter()
        monkeypatch.setattr(tracing, "_provider", lambda: provider)
        provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=60_000))
        provider.get_tracer("tests").start_span("last").end()
        assert exporter.get_finished_spans() == ()
        tracing.flush()
        assert [span.name for span in exporter.get_finished_spans()] == ["last"]
        provider.shutdown()

    def test_a_collector_that_hangs_does_not_hold_the_end_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        answers = threading.Event()

        class Hanging(SpanExporter):
            def export(self, spans: object) -> SpanExportResult:
                answers.wait(20)
                return SpanExportResult.SUCCESS

        provider = TracerProvider()
        monkeypatch.setattr(tracing, "_provider", lambda: provider)
        monkeypatch.setattr(tracing, "FLUSH_SECONDS", 0.2)
        provider.add_span_processor(BatchSpanProcessor(Hanging(), schedule_delay_millis=60_000))
        provider.get_tracer("tests").start_span("last").end()
        began = time.perf_counter()
        tracing.flush()
        assert 0.2 <= time.perf_counter() - began < 2
        answers.set()
        provider.shutdown()


def ask(app: FastAPI, *paths: str) -> list[httpx.Response]:
    async def ask_all() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://backend") as client:
            return [await client.get(path) for path in paths]

    return asyncio.run(ask_all())
