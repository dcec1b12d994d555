"""The traces of what failed or was slow: sent although the sampler has not chosen them.

A span is recorded whatever the sampler says, and waits for the end of its local root: the request, or the task.
"""

import os
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import RLock
from typing import cast

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode, TraceFlags, TraceState
from opentelemetry.util.types import Attributes

from .spans import changed

# What waits, in all of a process and of a trace, and of how many traces it is remembered that they are kept.
MOST_SPANS, MOST_SPANS_OF_A_TRACE, MOST_TRACES = 2000, 200, 1000


class Recording(Sampler):
    """A sampler that samples as another does, and lets all else be recorded."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Return the other's decision, with RECORD_ONLY in place of DROP."""
        found = self._sampler.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)
        if found.decision is Decision.DROP:
            return SamplingResult(Decision.RECORD_ONLY, attributes, found.trace_state)
        return found

    def get_description(self) -> str:
        """Return what it is called."""
        return f"Recording{{{self._sampler.get_description()}}}"


@dataclass
class _Trace:
    """A trace under way: how many local roots it has, and its spans that have ended."""

    roots: int = 0
    spans: list[ReadableSpan] = field(default_factory=list)


class Keeping(BatchSpanProcessor):
    """A processor that sends the spans of what was sampled, failed, was slow, or had an error in its lines.

    What waits is bounded: where there is more, the oldest trace is let go.
    """

    def __init__(self, exporter: SpanExporter, slow_seconds: float, sends_sampled: bool = True) -> None:
        """Begin to keep.

        Args:
            exporter: by which spans are sent.
            slow_seconds: from how many on a request is slow.
            sends_sampled: False where another processor sends what is sampled.
        """
        super().__init__(exporter)
        self._slow_nanoseconds, self._sends_sampled = slow_seconds * 1e9, sends_sampled
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        # What is logged while it is held, by whatever a collection of garbage ends, is logged by the same thread.
        self._lock = RLock()
        self._open: OrderedDict[int, _Trace] = OrderedDict()
        self._kept: OrderedDict[int, None] = OrderedDict()
        self._waiting = 0

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002
        """Wait for the spans of a local root."""
        context = span.get_span_context()
        if context is None or context.trace_flags.sampled or not _is_local_root(span):
            return
        with self._lock:
            self._open.setdefault(context.trace_id, _Trace()).roots += 1
            if len(self._open) > MOST_TRACES:
                self._let_go()

    def on_end(self, span: ReadableSpan) -> None:
        """Send a span, or keep it until its local root has ended."""
        context = span.get_span_context()
        if context is None:
            return
        if context.trace_flags.sampled:
            if self._sends_sampled:
                super().on_end(span)
            return
        with self._lock:
            ready = self._ready(context.trace_id, span)
        for each in ready:
            super().on_end(_sampled(each))

    def is_kept(self, context: SpanContext, is_error: bool) -> bool | None:
        """Return whether the trace of a line is sent, None as long as nobody knows.

        Args:
            context: of the line's span.
            is_error: the line is an error's: its trace is sent if it can be.
        """
        if context.trace_flags.sampled:
            return True
        with self._lock:
            if is_error and context.trace_id in self._open:
                self._keep(context.trace_id)
            if context.trace_id in self._kept:
                return True
            return None if context.trace_id in self._open else False

    def _ready(self, trace_id: int, span: ReadableSpan) -> list[ReadableSpan]:
        """Return what is to be sent now that a span has ended."""
        waiting, is_root = self._open.get(trace_id), _is_local_root(span)
        if is_root and (span.status.status_code is StatusCode.ERROR or self._is_slow(span)):
            self._keep(trace_id)
        ready: list[ReadableSpan] = []
        if trace_id in self._kept:
            ready = [*(waiting.spans if waiting else ()), span]
            self._empty(waiting)
        elif waiting and not is_root and len(waiting.spans) < MOST_SPANS_OF_A_TRACE:
            waiting.spans.append(span)
            self._waiting += 1
            if self._waiting > MOST_SPANS:
                self._let_go()
        if is_root and waiting:
            waiting.roots -= 1
            if not waiting.roots:
                self._empty(waiting)
                self._open.pop(trace_id, None)
        return ready

    def _is_slow(self, span: ReadableSpan) -> bool:
        # A task may take its time, and so may a WebSocket.
        if "http.request.method" not in (span.attributes or {}) or span.kind is not SpanKind.SERVER:
            return False
        return (span.end_time or 0) - (span.start_time or 0) >= self._slow_nanoseconds

    def _keep(self, trace_id: int) -> None:
        self._kept[trace_id] = None
        self._kept.move_to_end(trace_id)
        if len(self._kept) > MOST_TRACES:
            self._kept.popitem(last=False)

    def _let_go(self) -> None:
        self._empty(self._open.popitem(last=False)[1])

    def _empty(self, waiting: _Trace | None) -> None:
        if waiting:
            self._waiting -= len(waiting.spans)
            waiting.spans.clear()


def _is_local_root(span: ReadableSpan) -> bool:
    return span.parent is None or span.parent.is_remote


def _sampled(span: ReadableSpan) -> ReadableSpan:
    found = cast(SpanContext, span.get_span_context())
    flags = TraceFlags(found.trace_flags | TraceFlags.SAMPLED)
    context = SpanContext(found.trace_id, found.span_id, found.is_remote, flags, found.trace_state)
    return changed(span, context=context)
