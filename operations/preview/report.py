"""The report of a preview: each object, a summary of a few lines, and the exit status."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from components.foundation.helm_records import RELEASE_TYPE
from operations.preview.objects import Change, changed
from operations.preview.releases import Render, changes, headline
from operations.preview.steps import MASK, Step

_SIGNS = {"added": "+", "removed": "-", "changed": "~", "replaced": "+-", "moved": "+-"}
_WHAT = {"create": "added", "delete": "removed", "update": "changed", "replace": "replaced", "move": "moved"}
_LOST = ("removed", "replaced", "moved")
SAFE, LOSES = 0, 3


@dataclass(frozen=True)
class Preview:
    """The changes of an update, and what they are against: Releases by their headline, and everything else."""

    stack: str
    against: str
    releases: dict[str, list[Change]]
    others: list[Change]

    @property
    def all(self) -> list[Change]:
        """Return every change, those of Releases first."""
        return [*(change for inside in self.releases.values() for change in inside), *self.others]

    @property
    def status(self) -> int:
        """Return 3 where something is deleted, replaced or stuck, else 0."""
        return LOSES if any(change.what in _LOST or change.stuck for change in self.all) else SAFE


def preview(stack: str, against: str, steps: Sequence[Step], render: Render, claims_fit: bool = False) -> Preview:
    """Return what the steps change, with the objects of Releases rendered.

    A Release that is replaced or made anew is a change of its own beside those of its objects.

    Args:
        stack: the stack's name.
        against: what the steps begin with.
        steps: one a resource.
        render: makes the objects of a Release.
        claims_fit: whether size and class of volumes are known to be possible.
    """
    releases, others = {}, []
    for step in steps:
        if step.type == RELEASE_TYPE:
            releases[headline(step)] = list(changes(step, render, claims_fit))
            if step.op in ("replace", "move", "delete"):
                others.append(Change(_WHAT[step.op], step.object))
        elif step.old is None or step.new is None:
            others.append(Change(_WHAT[step.op], step.object))
        elif change := changed(step.object, step.old, step.new, secrets=step.secrets, what=_WHAT[step.op]):
            others.append(change)
    return Preview(stack, against, releases, others)


def details(found: Preview, with_others: bool) -> Iterator[str]:
    """Yield the lines about each object: those of Releases, and the others where nobody else shows them."""
    sections = [*found.releases.items(), *([("Objects that are no Release's", found.others)] if with_others else [])]
    for title, inside in sections:
        told = [change for change in inside if not change.is_noise]
        if not inside and title not in found.releases:
            continue
        yield title
        for change in told:
            yield from _told(change)
        folded = len(inside) - len(told)
        if folded:
            yield f"  and {_count(folded, 'object')} in nothing but labels and checksums of the chart"
        if not inside:
            yield "  nothing in its objects"
        yield ""


def _told(change: Change) -> Iterator[str]:
    yield f"  {_SIGNS[change.what]} {change.object}" + (f": {change.restarts}" if change.restarts else "")
    for field in change.fields:
        yield f"      {field.path}" + (" (cannot change in place)" if field.path in change.stuck else "")
        yield from (f"        {line}" for line in field.lines)
    if change.folded:
        yield f"      and {_count(change.folded, 'field')} of labels and checksums of the chart"


def summary(found: Preview) -> list[str]:
    """Return the few lines that tell whether the rest has to be read."""
    told = [change for change in found.all if not change.is_noise]
    head = f"Stack {found.stack}, against {found.against}:"
    if not found.all:
        return [f"{head} nothing changes."]
    counts = {what: sum(change.what == what for change in told) for what in _SIGNS}
    lines = [f"{head} {', '.join(f'{number} {what}' for what, number in counts.items() if number) or 'nothing'}."]
    if noise := len(found.all) - len(told):
        lines.append(f"  Only labels and checksums of the chart: {_count(noise, 'object')}")
    groups = {
        "Restarts": [change.object for change in told if change.restarts],
        "Secrets that change": [f"{change.object} ({_keys(change)})" for change in told if _keys(change)],
        "Deleted": [change.object for change in told if change.what == "removed"],
        "Replaced": [change.object for change in told if change.what == "replaced"],
        "Cannot change in place": [f"{change.object} ({', '.join(change.stuck)})" for change in told if change.stuck],
        "Made under one URN, then deleted under another, though it is the same (an alias keeps it)": [
            change.object for change in told if change.what == "moved"
        ],
    }
    lines += [f"  {title}: {', '.join(objects)}" for title, objects in groups.items() if objects]
    return [*lines, *(f"    {change.remedy}" for change in told if change.remedy)]


def _keys(change: Change) -> str:
    """Return which keys of a Secret change, or which secrets of another resource."""
    if not change.object.startswith("Secret "):
        return ", ".join(field.path for field in change.fields if any(MASK in line for line in field.lines))
    keys = []
    for field in change.fields:
        whole, _, key = field.path.partition(".")
        if whole in ("data", "stringData"):
            keys += [key] if key else [line[2:] for line in field.lines]
    return ", ".join(keys)


def as_json(found: Preview) -> str:
    """Return all of it as JSON."""
    releases = {title: [asdict(change) for change in inside] for title, inside in found.releases.items()}
    others = [asdict(change) for change in found.others]
    head = {"stack": found.stack, "against": found.against, "status": found.status}
    return json.dumps({**head, "releases": releases, "others": others, "summary": summary(found)}, indent=2)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
