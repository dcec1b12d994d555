"""The changes of one object: its fields, what restarts, and what cannot change in place."""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from components.foundation.release_recovery import how_to_recreate
from operations.manifest_diff import fields
from operations.preview.claims import cannot_become
from operations.preview.steps import MASK

# What every version of a chart changes and nobody reads.
_NOISE = re.compile(r".*(labels\.helm\.sh/chart|labels\.app\.kubernetes\.io/version|annotations\.checksum/.*)")
_WORKLOADS = ("DaemonSet", "Deployment", "StatefulSet")
_OPERATED = re.compile(r".*\.k8s\.elastic\.co/.*|jaegertracing\.io/.*")
# Everything else in the spec of a StatefulSet is refused by the API server; of the others it is the selector.
_IN_PLACE = {
    "minReadySeconds",
    "ordinals",
    "persistentVolumeClaimRetentionPolicy",
    "replicas",
    "revisionHistoryLimit",
    "template",
    "updateStrategy",
}
_LINES = 40  # of one field: a dashboard has thousands


@dataclass(frozen=True)
class Field:
    """A field that changes, as lines that begin with `-` or `+`; a secret that changes is `~` and its mask."""

    path: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """The change of one object.

    `what` is `added`, `removed`, `changed`, `replaced` or `moved`. `folded` is the number of fields that are left out,
    since they only follow from the chart's version or another object. `stuck` are fields that cannot change in place.
    """

    what: str
    object: str
    release: str = ""
    fields: tuple[Field, ...] = ()
    folded: int = 0
    restarts: str = ""
    stuck: tuple[str, ...] = ()
    remedy: str = ""

    @property
    def is_noise(self) -> bool:
        """Return whether nothing changes that anybody has to know."""
        return self.what == "changed" and not (self.fields or self.restarts or self.stuck)


def changed(
    name: str,
    old: dict[str, Any],
    new: dict[str, Any],
    release: str = "",
    namespace: str = "",
    secrets: tuple[str, ...] = (),
    what: str = "changed",
    claims_fit: bool = False,
) -> Change | None:
    """Return what changes between two states of an object; None where they mean the same.

    Args:
        name: what people call the object.
        old: its manifest, or the inputs of any other resource.
        new: the same, after the change.
        release: the Helm Release that it belongs to, if any.
        namespace: of that Release: the one of objects that name none.
        secrets: paths of secrets that change and cannot be seen.
        what: happens to it.
        claims_fit: whether size and class of volumes are known to be possible: the program itself refuses what is not.
    """
    is_object = "kind" in new
    found = list(fields(old, new) if is_object else _plain(old, new, ""))
    if not (found or secrets) and what == "changed":
        return None
    kind, paths = str(new.get("kind", "")), [path for path, *_ in found]
    shown = [
        Field(path, _masked(values) if kind == "Secret" and _holds_data(path) else _lines(*values))
        for path, *values in found
        if not _NOISE.fullmatch(path)
    ]
    operated = bool(_OPERATED.fullmatch(str(new.get("apiVersion", ""))))
    stuck = tuple(path for path, *values in found if release and _is_stuck(kind, path, values, operated, claims_fit))
    return Change(
        what,
        name,
        release,
        (*shown, *(Field(path, (f"~ {MASK}",)) for path in secrets if path not in paths)),
        len(paths) - len(shown),
        _restarts(kind, str(new.get("apiVersion", "")), paths),
        stuck,
        _way_out(kind, new, namespace) if stuck else "",
    )


def _plain(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield what differs in a resource that is no object of Kubernetes, where nothing has a default that we know."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from _plain(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif old != new:
        yield path, old, new


def _holds_data(path: str) -> bool:
    return path.split(".")[0] in ("data", "stringData")


def _masked(values: list[Any]) -> tuple[str, ...]:
    """Return lines that say only which side has something: the keys of a whole, and of a key nothing but that."""
    told = [", ".join(sorted(value)) if isinstance(value, dict) else MASK for value in values]
    return tuple(f"{sign} {text}" for sign, text, value in zip("-+", told, values, strict=True) if value is not None)


def _lines(old: Any, new: Any) -> tuple[str, ...]:
    before, after = _text(old), _text(new)
    if len(before) <= 1 and len(after) <= 1:
        return (*(f"- {line}" for line in before), *(f"+ {line}" for line in after))
    difference = list(difflib.unified_diff(before, after, lineterm="", n=0))[2:]  # without the names of files
    difference = [line for line in difference if line[0] in "-+"]
    indent = min((len(line) - 1 - len(line[1:].lstrip()) for line in difference if line[1:].strip()), default=0)
    lines = [f"{line[0]} {line[1 + indent :]}" for line in difference]
    more = len(lines) - _LINES
    return (*lines[:_LINES], f"… and {more} more lines") if more > 0 else tuple(lines)


def _text(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return value.splitlines() or [""]
    if isinstance(value, dict | list):
        return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1000).splitlines()
    return [str(value).lower() if isinstance(value, bool) else str(value)]


def _restarts(kind: str, api_version: str, paths: list[str]) -> str:
    if kind in _WORKLOADS and any(path.startswith("spec.template") for path in paths):
        return "its pods are replaced"
    if _OPERATED.fullmatch(api_version) and any(path.startswith("spec") for path in paths):
        return "its operator replaces pods where it has to"
    return ""


def _is_stuck(kind: str, path: str, values: list[Any], operated: bool, claims_fit: bool) -> bool:
    if path.endswith(".volumeClaimTemplates"):
        old, new = values
        return cannot_become(old, new, operated, claims_fit)
    top, _, rest = path.partition(".")
    key = rest.split(".")[0]
    if kind == "StatefulSet":
        return top == "spec" and key not in _IN_PLACE
    return kind in _WORKLOADS and top == "spec" and key == "selector"


def _way_out(kind: str, manifest: dict[str, Any], namespace: str) -> str:
    metadata = manifest["metadata"]
    name, where = str(metadata["name"]), str(metadata.get("namespace") or namespace)
    if kind == "StatefulSet":
        return how_to_recreate(name, where)
    if kind not in _WORKLOADS:
        return (
            f"{kind} {name}: its volumes get no smaller and keep their StorageClass, and its operator refuses this "
            "after the update: set back what they have (docs/changes.md)"
        )
    return (
        f"{kind} {name} has to be made anew for this: kubectl -n {where} delete {kind.lower()} {name}, then pulumi up"
    )
