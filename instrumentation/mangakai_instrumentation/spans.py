"""Spans that have ended, as they are but for what is to change."""

from typing import Any

from opentelemetry.sdk.trace import ReadableSpan


def changed(span: ReadableSpan, **changes: Any) -> ReadableSpan:
    """Return a span like another but for `changes`, arguments of ReadableSpan."""
    same = {
        "name": span.name,
        "context": span.get_span_context(),
        "parent": span.parent,
        "resource": span.resource,
        "attributes": span.attributes,
        "events": span.events,
        "links": span.links,
        "kind": span.kind,
        "status": span.status,
        "start_time": span.start_time,
        "end_time": span.end_time,
        "instrumentation_scope": span.instrumentation_scope,
    }
    return ReadableSpan(**{**same, **changes})
