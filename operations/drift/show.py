"""Drift as text: `-` is how an object was made, `+` is how it is."""

import difflib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from .compare import ABSENT, Difference
from .expected import Expected

Drift = Sequence[tuple[Expected, Sequence[Difference]]]

_HIDDEN = "(secret)"


def as_text(stack: str, drift: Drift, looked_at: int) -> str:
    """Return the drift of a stack as a diff, which ends with what sums it up.

    Args:
        stack: its name.
        drift: what differs, by object.
        looked_at: how many objects there should be.
    """
    if not drift:
        return f"{stack}: no drift in {looked_at} objects"
    lines = []
    for expected, differing in drift:
        lines += [f"{_name(expected)} ({expected.owner})"]
        for difference in differing:
            who = f", by {difference.by}" if difference.by else ""
            when = f" at {difference.at}" if difference.at else ""
            lines += [f"  {difference.field}{who}{when}"] if difference.field else []
            # Of an object as a whole nothing is told that could be secret.
            lines += _values(difference, expected.secret and difference.field != "")
        lines += [""]
    names = ", ".join(_name(expected) for expected, _ in drift)
    lines += [f"{stack}: drift in {len(drift)} of {looked_at} objects: {names}. - is how it was made, + is how it is."]
    return "\n".join(lines)


def as_json(stack: str, drift: Drift, looked_at: int) -> str:
    """Return the same as JSON."""
    found = [
        {
            "object": _name(expected),
            "owner": expected.owner,
            "field": one.field,
            "expected": _json(one.expected, expected.secret and one.field != ""),
            "live": _json(one.live, expected.secret and one.field != ""),
            "by": one.by,
            "at": one.at,
        }
        for expected, differing in drift
        for one in differing
    ]
    return json.dumps({"stack": stack, "looked_at": looked_at, "drift": found}, indent=2)


def _name(expected: Expected) -> str:
    metadata = expected.manifest["metadata"]
    return f"{expected.manifest['kind']} {'/'.join(filter(None, (metadata.get('namespace'), metadata['name'])))}"


def _json(value: Any, secret: bool) -> Any:
    return None if value is ABSENT else _HIDDEN if secret else value


def _values(difference: Difference, secret: bool) -> Iterator[str]:
    before, after = (_lines(value, secret) for value in (difference.expected, difference.live))
    if len(before) > 1 and len(after) > 1:
        yield from list(difflib.unified_diff(before, after, n=1, lineterm=""))[2:]
        return
    yield from (f"- {line}" for line in before)
    yield from (f"+ {line}" for line in after)


def _lines(value: Any, secret: bool) -> list[str]:
    if value is ABSENT:
        return []
    if secret:
        return [_HIDDEN]
    return value.splitlines() if isinstance(value, str) else json.dumps(value, indent=2).splitlines()
