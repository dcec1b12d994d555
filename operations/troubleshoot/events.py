"""The newest events."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from operations.cluster import Object

from .finding import Finding, Severity, created, timestamp

_LATELY = timedelta(hours=1)
_MOST = 10


def events(items: Sequence[Object], now: datetime) -> Iterator[Finding]:
    """Tell the newest warnings of a namespace, those of the last hour."""
    recent = sorted((item for item in items if now - seen(item) < _LATELY), key=seen, reverse=True)
    for item in recent[:_MOST]:
        about = item["involvedObject"]
        subject = f"event {about.get('kind')} {item['metadata']['namespace']}/{about.get('name')}"
        yield Finding(Severity.INFO, subject, f"{item.get('reason')}: {item.get('message', '')}", seen(item))


def seen(item: Object) -> datetime:
    """Return when an event was seen last: each kind of event has it elsewhere (D-180)."""
    series = item.get("series") or {}
    text = series.get("lastObservedTime") or item.get("lastTimestamp") or item.get("eventTime")
    return timestamp(text) or created(item)
