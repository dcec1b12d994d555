"""What came of a drill, as a table for people, and as JSON for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum


class State(StrEnum):
    """What came of a way to a receiver."""

    TOLD = "told"
    FAILED = "failed"
    MUTED = "muted"
    LEFT_OUT = "left out"


@dataclass(frozen=True)
class Result:
    """What came of one way to a receiver, and what there is to say of it."""

    receiver: str
    integration: str
    state: State
    detail: str


def table(stack: str, mark: str, results: Sequence[Result]) -> str:
    """Return what came of each way to each receiver, and what sums it up."""
    width = max(len(one.receiver) for one in results) + 2
    shown = {State.FAILED: "FAILED"}
    lines = [
        f"{one.receiver:{width}}{one.integration or '-':10}{shown.get(one.state, one.state):10}{one.detail}"
        for one in results
    ]
    counts = {state: sum(one.state is state for one in results) for state in State}
    verdict = ", ".join(f"{number} {state}" for state, number in counts.items() if number)
    return "\n".join([f"{'RECEIVER':{width}}{'BY':10}{'STATE':10}", *lines, "", f"{stack}, drill {mark}: {verdict}."])


def as_json(stack: str, mark: str, results: Sequence[Result]) -> str:
    """Return the same as JSON."""
    return json.dumps({"stack": stack, "drill": mark, "receivers": [asdict(one) for one in results]}, indent=2)
