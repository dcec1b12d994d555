"""The fields in which an object differs from what an apply would make of it, and who wrote them last."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .expected import Object

# What the API server writes by itself.
_ITS_OWN = [("status",), *(("metadata", name) for name in ("managedFields", "resourceVersion", "generation"))]
_DATA = ("ConfigMap", "Secret")
ABSENT = object()

_Path = tuple[Any, ...]
_Found = tuple[_Path, Any, Any]


@dataclass(frozen=True)
class Difference:
    """A field that is not as it was made; `ABSENT` stands for one that is not there."""

    field: str
    expected: Any
    live: Any
    by: str = ""
    at: str = ""


def differences(manifest: Object, applied: Object, live: Object) -> list[Difference]:
    """Return the fields in which an object differs.

    Args:
        manifest: the object as it was made.
        applied: what an apply of it would make of the object now.
        live: the object now.
    """
    found = [*_compare(applied, live, ()), *_added_keys(manifest, live), *_by_hand(manifest, live)]
    return [Difference(_spelled(path), expected, now, *_writer(live, path)) for path, expected, now in found]


def _compare(expected: Any, live: Any, path: _Path) -> Iterator[_Found]:
    if path in _ITS_OWN or expected == live or _says_nothing(expected, live):
        return
    if isinstance(expected, dict) and isinstance(live, dict):
        for key in sorted({*expected, *live}):
            yield from _compare(expected.get(key, ABSENT), live.get(key, ABSENT), (*path, key))
        return
    before, after = _by_name(expected), _by_name(live)
    if before is not None and after is not None:
        for name in dict.fromkeys([*before, *after]):
            yield from _compare(before.get(name, ABSENT), after.get(name, ABSENT), (*path, {"name": name}))
    elif isinstance(expected, list) and isinstance(live, list) and len(expected) == len(live):
        for index, values in enumerate(zip(expected, live, strict=True)):
            yield from _compare(*values, (*path, index))
    else:
        yield path, expected, live


def _says_nothing(expected: Any, live: Any) -> bool:
    """Return whether one is not there and the other is empty: operators in Go write `{}` and 0, or leave them out."""
    return (expected is ABSENT and _is_empty(live)) or (live is ABSENT and _is_empty(expected))


def _is_empty(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_is_empty(inner) for inner in value.values())
    return value is not ABSENT and not value


def _by_name(items: Any) -> dict[str, Any] | None:
    """Return the items of a list by their name, if each has one of its own."""
    if not isinstance(items, list) or not all(isinstance(item, dict) and "name" in item for item in items):
        return None
    named = {item["name"]: item for item in items}
    return named if len(named) == len(items) else None


def _added_keys(manifest: Object, live: Object) -> Iterator[_Found]:
    """Return the keys that somebody added to a ConfigMap or Secret: an apply would leave them there."""
    if live["kind"] in _DATA:
        made = {key for part in ("data", "binaryData", "stringData") for key in manifest.get(part) or ()}
        for part in ("data", "binaryData"):
            for key, value in (live.get(part) or {}).items():
                if key not in made:
                    yield (part, key), ABSENT, value


def _by_hand(manifest: Object, live: Object) -> Iterator[_Found]:
    """Return what kubectl added: an apply would leave that there too, as it does what controllers add."""
    for entry in live["metadata"].get("managedFields", []):
        if not entry["manager"].startswith("kubectl") or entry.get("subresource") == "status":
            continue
        for path in _leaves(entry["fieldsV1"], ()):
            restart = path[-1] == "kubectl.kubernetes.io/restartedAt"
            data = live["kind"] in _DATA and path[0] != "metadata"
            value = _at(live, path)
            if _at(manifest, path) is ABSENT and value is not ABSENT and not restart and not data:
                yield path, ABSENT, value


def _leaves(fields: Mapping[str, Any], path: _Path) -> Iterator[_Path]:
    """Return the paths in the fields of a manager; an item of a list that it made is one, whatever is in it."""
    steps = {key: inner for key, inner in fields.items() if key.startswith(("f:", "k:"))}
    if not steps or ("." in fields and isinstance(path[-1], dict)):
        yield path
        return
    for key, inner in steps.items():
        yield from _leaves(inner, (*path, key[2:] if key.startswith("f:") else json.loads(key[2:])))


def _at(value: Any, path: _Path) -> Any:
    for step in path:
        if isinstance(step, dict):
            items = value if isinstance(value, list) else []
            # What a manifest leaves out, such as the protocol of a port, has its default.
            same = (item for item in items if all(item.get(key, want) == want for key, want in step.items()))
            value = next(same, ABSENT)
        else:
            value = value.get(step, ABSENT) if isinstance(value, dict) else ABSENT
    return value


def _spelled(path: _Path) -> str:
    text = ""
    for step in path:
        if isinstance(step, str):
            text += f".{step}" if text else step
        else:
            text += f"[{'/'.join(map(str, step.values())) if isinstance(step, dict) else step}]"
    return text


def _writer(live: Object, path: _Path) -> tuple[str, str]:
    """Return who wrote a field last, and when, as far as the API server keeps it."""
    writers = [
        (entry.get("time", ""), entry["manager"])
        for entry in live["metadata"].get("managedFields", [])
        if _owns(entry.get("fieldsV1", {}), path)
    ]
    at, by = max(writers, default=("", ""))
    return by, at


def _owns(fields: Mapping[str, Any], path: _Path) -> bool:
    for step in path:
        key = next((key for key in fields if _is_step(key, step)), None)
        if key is None:
            # Whoever wrote the whole of something, a list say, wrote what is in it.
            return not fields
        fields = fields[key]
    return True


def _is_step(key: str, step: Any) -> bool:
    if isinstance(step, dict):
        return key.startswith("k:") and json.loads(key[2:]).items() >= step.items()
    return key == f"f:{step}"
