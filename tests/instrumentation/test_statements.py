"""Statements of SQLAlchemy as spans: of which engines, and how often."""

import asyncio
import gc
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.instrumentation.sqlalchemy.engine import EngineTracer
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.ext.asyncio import create_async_engine

from mangakai_instrumentation import statements, tracing

Names = Callable[[], list[str]]
BEFORE = create_engine("sqlite://")


@pytest.fixture(scope="module")
def exporter() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    tracing._provider().add_span_processor(SimpleSpanProcessor(exporter))
    statements.trace_engines()
    statements.trace_engines()
    yield exporter
    exporter.shutdown()
    event.remove(Engine, "engine_connect", statements._trace)
    SQLAlchemyInstrumentor().uninstrument()
    statements._TRACED.clear()


@pytest.fixture
def names(exporter: InMemorySpanExporter) -> Names:
    """What gives the names of the spans of statements that have ended since the test began."""
    exporter.clear()
    return lambda: [span.name for span in exporter.get_finished_spans() if span.name != "connect"]


def select(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))


def test_an_engine_of_before_is_traced(names: Names) -> None:
    select(BEFORE)
    select(BEFORE)
    assert len(names()) == 2


def test_one_made_later_is_traced_once_whoever_makes_it(names: Names) -> None:
    for make in (create_engine, sqlalchemy.create_engine):
        select(make("sqlite://"))
    assert len(names()) == 2


def test_one_with_options_of_its_own_is_traced_once(names: Names) -> None:
    engine = create_engine("sqlite://")
    select(engine.execution_options(pages=7))
    select(engine)
    assert len(names()) == 2


def test_two_engines_of_one_process_are_traced(names: Names) -> None:
    async def select_async() -> None:
        engine = create_async_engine("sqlite+aiosqlite://")
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
        await engine.dispose()

    select(create_engine("sqlite://"))
    asyncio.run(select_async())
    assert len(names()) == 2


@pytest.mark.usefixtures("names")
def test_an_engine_that_is_gone_is_let_go() -> None:
    before = len(EngineTracer._remove_event_listener_params)
    for _ in range(20):
        engine = create_engine("sqlite://")
        select(engine)
        engine.dispose()
        del engine
    gc.collect()
    assert len(EngineTracer._remove_event_listener_params) <= before + 7
