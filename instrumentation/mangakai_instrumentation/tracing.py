"""Traces by OpenTelemetry: what is instrumented, where the spans go, and what of them does not leave the process.

Endpoint, service, resource and sampler come from the variables that OpenTelemetry defines (OTEL_*).
"""

import functools
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from threading import Thread
from typing import Any, ParamSpec, TypeVar, cast, overload

from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import SpanKind, Status
from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from .scrubbing import scrub

FLUSH_SECONDS = 5
P = ParamSpec("P")
R = TypeVar("R")


def set_up() -> bool:
    """Trace Celery, Redis and httpx from now on. Returns whether the spans are sent anywhere.

    A process that is forked afterwards sends its spans by itself (D-120): the SDK sees to that.
    """
    provider = _provider()
    # D-117 to D-119: in batches, to the collector, as many as the sampler lets through.
    if is_sent := bool(os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")):
        provider.add_span_processor(BatchSpanProcessor(Scrubbed(OTLPSpanExporter())))
    for instrumentor in (CeleryInstrumentor, RedisInstrumentor, HTTPXClientInstrumentor):
        if not instrumentor().is_instrumented_by_opentelemetry:
            instrumentor().instrument()
    return is_sent


def send_to(exporter: SpanExporter, share: float) -> None:
    """Send the spans of a share of all traces, between 0 and 1, to another place too."""
    _provider().add_span_processor(_Share(Scrubbed(exporter), share))


def trace_app(app: FastAPI, untraced: Sequence[str]) -> None:
    """Trace an application's requests but those of the paths `untraced`.

    FastAPI does that itself where there is a provider; what is off is what would make three spans more of each request,
    and what metrics and logs tell.
    """
    # Its constructor takes this; an application that is made already has no other way.
    if telemetry := getattr(app, "_telemetry", None):
        off = {"operation_spans": False, "metrics": False, "logs": False}
        telemetry.update(off, exclude=lambda scope: path_of(scope) in untraced)


def trace_database(engine: Engine | AsyncEngine) -> None:
    """Trace the statements of an engine, of one in each process: all later ones are traced without being asked."""
    if not SQLAlchemyInstrumentor().is_instrumented_by_opentelemetry:
        SQLAlchemyInstrumentor().instrument(engine=engine.sync_engine if isinstance(engine, AsyncEngine) else engine)


def flush() -> None:
    """Send what waits to be sent (D-125); a collector that does not answer costs FLUSH_SECONDS."""
    # The SDK itself waits as long as its exporters try.
    flushing = Thread(target=_provider().force_flush, daemon=True)
    flushing.start()
    flushing.join(FLUSH_SECONDS)


@overload
def trace_function(operation_name: Callable[P, R]) -> Callable[P, R]: ...
@overload
def trace_function(operation_name: str | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def trace_function(operation_name: str | Callable[P, R] | None = None) -> Any:
    """Return a decorator that gives each call of a function, `async` or not, a span (S-094).

    The signature stays (D-121), and what the function calls becomes part of the span (D-124).

    Args:
        operation_name: of the span; by default module and name of the function. The function itself, where the
            decorator stands without brackets.

    Raises:
        TypeError: the function is a generator, whose work is not done when the call returns.
    """
    if callable(operation_name):
        return _traced(operation_name, None)
    return functools.partial(_traced, operation_name=operation_name)


def _traced(function: Callable[P, R], operation_name: str | None) -> Callable[P, R]:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{function.__qualname__} is a generator: open a span inside of it instead")
    name = operation_name or f"{function.__module__}.{function.__name__}"
    tracer = trace.get_tracer(__name__)
    component = os.environ.get("OTEL_SERVICE_NAME", "mangakai-backend")
    span = functools.partial(tracer.start_as_current_span, name, attributes={"component": component})
    if inspect.iscoroutinefunction(function):  # its span lasts until it is awaited (D-122)

        @functools.wraps(function)
        async def traced_coroutine(*args: P.args, **kwargs: P.kwargs) -> Any:
            with span():
                return await function(*args, **kwargs)

        return cast(Callable[P, R], traced_coroutine)

    @functools.wraps(function)
    def traced(*args: P.args, **kwargs: P.kwargs) -> R:
        with span():
            return function(*args, **kwargs)

    return traced


class Scrubbed(SpanExporter):
    """An exporter that sends its spans by another one, without what is sensitive in them (D-114)."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans but those of a worker that asks its broker for work, each of which would be a trace."""
        return self._exporter.export([_scrubbed(span) for span in spans if not _is_polling(span)])

    def shutdown(self) -> None:
        """Shut the other one down."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = FLUSH_SECONDS * 1000) -> bool:
        """Flush the other one."""
        return self._exporter.force_flush(timeout_millis)


class _Share(BatchSpanProcessor):
    """A processor that takes the same share of traces in each process."""

    def __init__(self, exporter: SpanExporter, share: float) -> None:
        super().__init__(exporter)
        self._bound = TraceIdRatioBased.get_bound_for_rate(share)

    def on_end(self, span: ReadableSpan) -> None:
        context = span.get_span_context()
        if context and context.trace_id & TraceIdRatioBased.TRACE_ID_LIMIT < self._bound:
            super().on_end(span)


def path_of(scope: Mapping[str, Any]) -> str:
    """Return the path of an ASGI scope as the application knows it, without the prefix of a proxy."""
    path: str = scope.get("path", "")
    return path.removeprefix(scope.get("root_path", ""))


def _provider() -> TracerProvider:
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider()
        trace.set_tracer_provider(provider)
    return provider


def _is_polling(span: ReadableSpan) -> bool:
    return span.kind is SpanKind.CLIENT and span.parent is None and (span.attributes or {}).get("db.system") == "redis"


def _scrubbed(span: ReadableSpan) -> ReadableSpan:
    events = [Event(event.name, scrub(event.attributes or {}), event.timestamp) for event in span.events]
    return ReadableSpan(
        name=span.name,
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes=scrub(span.attributes or {}),
        events=events,
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code, scrub(span.status.description)),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
