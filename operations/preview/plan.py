"""The steps that the engine plans against the deployed state, shown as it plans them."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from operations.preview.steps import PreviewError, Step, at, dotted, fill, leads_to_secret, masked

_PROVIDER = "pulumi:providers:kubernetes"
# A replacement is three steps of the engine, and one thing that happens.
_OPS = {
    "create": "create",
    "update": "update",
    "delete": "delete",
    "replace": "replace",
    "create-replacement": "replace",
    "delete-replaced": "replace",
}
_SIDES = ("old", "new")


def plan(stack: str, environment: dict[str, str], root: Path, quiet: bool) -> tuple[list[Step], str]:
    """Run `pulumi preview --diff`, and return its steps and the kubeconfig's context of the stack's cluster.

    One run gives both: what people read, and, in its log of events, what programs do. Secrets are masked in either.

    Args:
        stack: the stack's name.
        environment: of `pulumi`: it names the backend, the passphrase, the kubeconfig.
        root: the project's folder.
        quiet: whether the standard output is another's, so that the engine's goes to the standard error.

    Raises:
        PreviewError: there is no `pulumi`, or its preview fails; it has said why.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "events.json"
        command = ["pulumi", "preview", "--diff", "--stack", stack, "--event-log", str(log)]
        # The CLI takes --event-log with this only; its Automation API sets it, too.
        variables = {"PATH": os.defpath, **environment, "PULUMI_DEBUG_COMMANDS": "true"}
        try:
            done = subprocess.run(
                command, cwd=root, env=variables, stdout=sys.stderr.fileno() if quiet else None, check=False
            )
        except FileNotFoundError:
            raise PreviewError("there is no pulumi on the PATH: see the README") from None
        if done.returncode != 0:
            raise PreviewError(f"`pulumi preview` of stack {stack} failed with status {done.returncode}")
        metadata = list(_metadata(log.read_text().splitlines()))
    return steps_of(metadata), _context(metadata)


def _metadata(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        event = json.loads(line).get("resourcePreEvent")
        if event:
            yield event["metadata"]


def steps_of(metadata: Iterable[dict[str, Any]]) -> list[Step]:
    """Return the steps in the engine's events, one for each resource that changes; components are no objects."""
    events = [event for event in metadata if event["op"] in _OPS and any(_state(event, side) for side in _SIDES)]
    makes_outputs = any(_OPS[event["op"]] in ("create", "replace") for event in events)
    steps: dict[str, Step] = {}
    for event in events:
        old, new = (_state(event, side) for side in _SIDES)
        differences = event.get("detailedDiff") or {}
        if old and new and makes_outputs:
            _fill(old, new, differences)
        secrets = [path for path in differences if any(leads_to_secret(path, state) for state in (old, new))]
        known = steps.get(event["urn"])
        steps[event["urn"]] = Step(
            _OPS[event["op"]],
            event["urn"],
            known.old if known and known.old else masked(old),
            known.new if known and known.new else masked(new),
            tuple(sorted({*map(dotted, secrets), *(known.secrets if known else ())})),
        )
    return list(steps.values())


def _state(event: dict[str, Any], side: str) -> dict[str, Any] | None:
    """Return the inputs of a resource before or after, and nothing of a component."""
    state = event.get(side) or {}
    inputs: dict[str, Any] | None = state.get("inputs") if state.get("custom") else None
    return inputs


def _fill(old: dict[str, Any], new: dict[str, Any], differences: dict[str, dict[str, Any]]) -> None:
    """Put a word where a value is not known yet, since something that is yet to be made decides it.

    The events leave such values out. Those in the values of a Release they even call deleted, as they do others that
    are: addresses are texts, so of them only texts are taken for values to come.
    """
    for path, difference in differences.items():
        if not difference["diffKind"].startswith("delete") or isinstance(at(old, path), str):
            fill(new, path)


def _context(metadata: Iterable[dict[str, Any]]) -> str:
    providers = [event for event in metadata if event["type"] == _PROVIDER]
    contexts = [(event.get("new") or event.get("old") or {}).get("inputs", {}).get("context") for event in providers]
    return next((str(context) for context in contexts if context), "")
