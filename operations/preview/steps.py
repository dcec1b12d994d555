"""The steps of an update, one a resource, with every secret masked."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from components.foundation.helm_records import RELEASE_TYPE

MASK = "[secret]"
UNKNOWN = "(known after the update)"

_SECRET = "4dabf18193072939515e22adb298388d"  # the key by which Pulumi marks a secret, and other special values
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # what Pulumi writes for a value that only the update knows
_PART = re.compile(r'\["([^"]+)"\]|\[(\d+)\]|([^.\[]+)')


class PreviewError(Exception):
    """There is no preview; the message says why, and what to do."""


@dataclass(frozen=True)
class Step:
    """The step of one resource: `create`, `update`, `replace`, `delete`, or `move` to another URN.

    `secrets` are the paths of secret values that change.
    """

    op: str
    urn: str
    old: dict[str, Any] | None
    new: dict[str, Any] | None
    secrets: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        """Return the resource's type."""
        return self.urn.split("::")[2].rsplit("$", 1)[-1]

    @property
    def inputs(self) -> dict[str, Any]:
        """Return what the resource is, or was."""
        return self.new or self.old or {}

    @property
    def is_named(self) -> bool:
        """Return whether the name is the program's own, so that two resources with it are one and the same object."""
        return self.type == RELEASE_TYPE or bool((self.inputs.get("metadata") or {}).get("name"))

    @property
    def object(self) -> str:
        """Return what people call the resource: the Kubernetes object, the Helm Release, or type and name."""
        if self.type == RELEASE_TYPE:
            return f"Release {self.inputs.get('namespace')}/{self.inputs.get('name')}"
        name = self.urn.split("::")[-1]
        return object_name(self.inputs, name) or f"{self.type} {name}"


def object_name(manifest: dict[str, Any], name: str = "") -> str:
    """Return kind, namespace and name of a Kubernetes object, and nothing of what is none.

    Args:
        manifest: of the object.
        name: of an object that leaves it to Pulumi.
    """
    kind, metadata = manifest.get("kind"), manifest.get("metadata")
    if not kind or not isinstance(metadata, dict):
        return ""
    return f"{kind} {'/'.join(part for part in (metadata.get('namespace'), metadata.get('name', name)) if part)}"


def masked(value: Any) -> Any:
    """Return a value with every secret in it, and everything that is not known yet, replaced by a word."""
    if isinstance(value, dict):
        return MASK if _SECRET in value else {key: masked(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [masked(inner) for inner in value]
    return value.replace(_UNKNOWN, UNKNOWN) if isinstance(value, str) else value


def secret_changes(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """Yield the path of each value that differs and is a secret on one of the sides."""
    marked = [isinstance(value, dict) and _SECRET in value for value in (old, new)]
    if any(marked):
        before, after = (value["value"] if mark else value for value, mark in zip((old, new), marked, strict=True))
        yield from _differences(before, after, path)
    elif isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from secret_changes(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif isinstance(old, list) and isinstance(new, list):
        for number, (before, after) in enumerate(zip(old, new, strict=False)):
            yield from secret_changes(before, after, f"{path}[{number}]")


def _differences(old: Any, new: Any, path: str) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from _differences(old.get(key), new.get(key), f"{path}.{key}")
    elif old != new:
        yield path


def _parts(path: str) -> list[str]:
    return [quoted or number or plain for quoted, number, plain in _PART.findall(path)]


def dotted(path: str) -> str:
    """Return a path of the engine, such as `data["a.b"]`, as all other paths are spelled here: `data.a.b`."""
    return ".".join(_parts(path))


def at(value: Any, path: str) -> Any:
    """Return what a path of the engine leads to: None if nothing, the whole if into a secret."""
    for part in _parts(path):
        if isinstance(value, dict) and _SECRET in value:
            break
        if isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            value = value.get(part) if isinstance(value, dict) else None
    return value


def leads_to_secret(path: str, inputs: dict[str, Any] | None) -> bool:
    """Return whether a path of the engine leads to a secret or into one."""
    value = at(inputs, path)
    return isinstance(value, dict) and _SECRET in value


def fill(inputs: dict[str, Any], path: str) -> None:
    """Put a word where a path of the engine leads, if nothing is there but something around it."""
    *parents, last = _parts(path)
    value: Any = inputs
    for part in parents:
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, dict) and _SECRET not in value:
        value.setdefault(last, UNKNOWN)


def paired(steps: Iterable[Step]) -> list[Step]:
    """Return the steps, with one `move` for an object that is deleted under one URN and made under another."""
    steps = list(steps)
    deleted = {step.object: step for step in steps if step.op == "delete" and step.is_named}
    moves = {
        step.object: replace(step, op="move", old=deleted[step.object].old)
        for step in steps
        if step.op == "create" and step.object in deleted
    }
    rest = [step for step in steps if step.object not in moves]
    return [*rest, *moves.values()]
