"""Traces by OpenTelemetry: what is instrumented, where the spans go, and what of them does not leave the process.

Endpoint, service, resource and sampler come from the variables that OpenTelemetry defines (OTEL_*).
"""

import functools
import inspect
import logging
import math
import os
from collections.abc import Callable, Mapping, Sequence
from threading import Thread
from typing import Any, ParamSpec, TypeVar, cast, overload
from urllib.parse import urlsplit

from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import SpanContext, SpanKind, Status

from .keeping import Keeping, Recording
from .scrubbing import scrub
from .spans import changed
from .statements import trace_engines

FLUSH_SECONDS = 0.8
SLOW_REQUEST_SECONDS = 2
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_LOGGER = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")


def set_up() -> bool:
    """Trace Celery, SQLAlchemy, Redis and httpx from now on. Returns whether the spans are sent anywhere.

    A process that is forked afterwards sends its spans by itself (D-120): the SDK sees to that. A provider that the
    application has already is used, and what it sends by OTLP is scrubbed.
    """
    provider = _provider()
    is_sent = any(os.environ.get(name) for name in _ENDPOINTS)
    # D-117 to D-119: in batches, to the collector, as many as the sampler lets through.
    if is_sent and _keeping(provider) is None:
        exporter = OTLPSpanExporter()
        hosts = _scrub(provider)
        provider.sampler = Recording(provider.sampler)
        sends_sampled = _host(exporter._endpoint) not in hosts
        provider.add_span_processor(Keeping(Scrubbed(exporter), _slow_seconds(), sends_sampled))
    for instrumentor in (CeleryInstrumentor, RedisInstrumentor, HTTPXClientInstrumentor):
        if not instrumentor().is_instrumented_by_opentelemetry:
            instrumentor().instrument()
    trace_engines()
    return is_sent


def is_kept(context: SpanContext, is_error: bool) -> bool | None:
    """Return whether the trace of a line is sent to where traces are, None as long as nobody knows.

    Args:
        context: of the line's span.
        is_error: the line is an error's: its trace is sent if it can be.
    """
    keeping = _keeping(trace.get_tracer_provider())
    return keeping.is_kept(context, is_error) if keeping else False


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
        sent = [_scrubbed(span) for span in spans if not _is_polling(span)]
        return self._exporter.export(sent) if sent else SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Shut the other one down."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
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
        # At the exit it would wait for a collector that does not answer; `flush` does not.
        provider = TracerProvider(shutdown_on_exit=False)
        trace.set_tracer_provider(provider)
    return provider


def _processors(provider: object) -> Sequence[SpanProcessor]:
    active = getattr(provider, "_active_span_processor", None)
    return getattr(active, "_span_processors", ())


def _keeping(provider: object) -> Keeping | None:
    return next((each for each in _processors(provider) if isinstance(each, Keeping)), None)


def _scrub(provider: TracerProvider) -> set[str | None]:
    """Scrub what processors of the application's own send by OTLP, and return the hosts to which they do."""
    hosts = set()
    for processor in _processors(provider):
        holder: Any = getattr(processor, "_batch_processor", processor)
        name = "_exporter" if isinstance(processor, BatchSpanProcessor) else "span_exporter"
        exporter: Any = getattr(holder, name, None)
        if type(exporter).__name__ == "OTLPSpanExporter":
            setattr(holder, name, Scrubbed(exporter))
            hosts.add(_host(exporter._endpoint))
    return hosts


def _host(endpoint: str) -> str | None:
    """Return the host of an endpoint, which is a URL by HTTP and host and port by gRPC."""
    return urlsplit(endpoint if "//" in endpoint else f"//{endpoint}").hostname


def _slow_seconds() -> float:
    text = os.environ.get("SLOW_REQUEST_SECONDS", "")
    try:
        seconds = float(text or SLOW_REQUEST_SECONDS)
    except ValueError:
        seconds = math.nan
    if seconds > 0:
        return seconds
    _LOGGER.error(
        "SLOW_REQUEST_SECONDS is %r, not a number above 0: requests of over %s s are slow", text, SLOW_REQUEST_SECONDS
    )
    return SLOW_REQUEST_SECONDS


def _is_polling(span: ReadableSpan) -> bool:
    return span.kind is SpanKind.CLIENT and span.parent is None and (span.attributes or {}).get("db.system") == "redis"


def _scrubbed(span: ReadableSpan) -> ReadableSpan:
    events = [Event(event.name, scrub(event.attributes or {}), event.timestamp) for event in span.events]
    status = Status(span.status.status_code, scrub(span.status.description))
    return changed(span, attributes=scrub(span.attributes or {}), events=events, status=status)
