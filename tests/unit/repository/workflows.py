"""What is wrong with the workflows: what actionlint does not know, for it is this repository's own."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.offline import ROOT

_STACK_ACTION = "./.github/actions/stack"
# What gives a job more than its own checkout: a secret, a variable, an environment, a token for AWS, a role.
_TRUST = ("secrets", "vars.", "'environment'", "id-token", "role-to-assume")
_OF_MAIN = "${{ github.event.pull_request.base.sha }}"
_PIN = re.compile(r"uses: (?:\./\S+|[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)")


def read(root: Path = ROOT) -> dict[str, str]:
    """Return the workflows and actions by their path."""
    files = [*root.glob(".github/workflows/*.yml"), *root.glob(".github/actions/*/action.yml")]
    return {str(file.relative_to(root)): file.read_text() for file in files}


def jobs(files: Mapping[str, str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Return each job with its workflow's file and its name."""
    for file, text in files.items():
        for name, job in yaml.safe_load(text).get("jobs", {}).items():
            yield file, name, job


def problems(files: Mapping[str, str]) -> list[str]:
    """Return a line for each thing that is wrong."""
    return [
        *(f"{file}: {what}" for file, text in files.items() for what in _of_file(file, text)),
        *(f"{file}: job {name}: {what}" for file, name, job in jobs(files) for what in _of_job(job)),
        *(f"{file}: job {name}: {what}" for file, name, job in jobs(files) for what in _of_trust(files, file, job)),
    ]


def _of_file(file: str, text: str) -> Iterator[str]:
    for line in re.findall(r"uses: .*", text):
        if not _PIN.fullmatch(line):
            yield f"not pinned by a commit with its version: {line}"
    document = yaml.safe_load(text)
    if "workflows/" in file:
        if document.get("permissions") != {"contents": "read"}:
            yield "permissions: not those of reading alone"
        # In YAML 1.1 `on` is true.
        if "pull_request_target" in str(document[True]):
            yield "pull_request_target gives a fork's branch our rights"
    for run in _runs(document):
        if "${{" in run:
            yield f"an expression in a script: {run.strip()}"
        for verb in re.findall(r"\bmake (?:--\S+ )*([a-z-]+)", run):
            if verb not in _verbs():
                yield f"there is no verb {verb}"
        for module in re.findall(r"-m (operations\.\S+)", run):
            path = ROOT / module.replace(".", "/")
            if not path.with_suffix(".py").is_file() and not (path / "__main__.py").is_file():
                yield f"there is no program {module}"


def _of_job(job: dict[str, Any]) -> Iterator[str]:
    if "permissions" not in job:
        yield "no permissions of its own"
    if "uses" not in job and "timeout-minutes" not in job:
        yield "no timeout-minutes"
    steps = job.get("steps", [])
    stacks = [step["with"]["stack"] for step in steps if step.get("uses") == _STACK_ACTION]
    concurrency = job.get("concurrency", {})
    group = str(concurrency.get("group"))
    if any(stack not in group for stack in stacks):
        yield f"the concurrency group {group} is not its stack's"
    updates = any("pulumi up" in run for run in _runs(job))
    if updates != group.startswith("stack-"):
        yield "the groups stack-… are those of updates, and of nothing else"
    if updates and concurrency.get("cancel-in-progress"):
        yield "an update may be cancelled"


def _of_trust(files: Mapping[str, str], file: str, job: dict[str, Any]) -> Iterator[str]:
    """Yield what a pull request's own code would get here, and what a branch other than main would."""
    held = [word for word in _TRUST if any(word in text for text in _with_actions(files, str(job)))]
    if file not in _of_pull_requests(files):
        if held and "environment" not in job:
            yield f"{', '.join(held)} without an environment: any branch's workflow would get it"
        return
    if held:
        yield f"{', '.join(held)} for a pull request's own code"
    writes = "write" in job.get("permissions", {}).values()
    refs = [step.get("with", {}).get("ref") for step in job.get("steps", []) if "actions/checkout@" in str(step)]
    if writes and refs != [_OF_MAIN]:
        yield "a token that writes for a pull request's own code"


def _of_pull_requests(files: Mapping[str, str]) -> set[str]:
    """Return the workflows that a pull request runs, and those that these call."""
    # In YAML 1.1 `on` is true.
    found = {file for file, text in files.items() if "pull_request" in str(yaml.safe_load(text).get(True))}
    called = [str(job.get("uses", "")) for file, _, job in jobs(files) if file in found]
    return found | {name.removeprefix("./") for name in called if name}


def _with_actions(files: Mapping[str, str], text: str) -> Iterator[str]:
    """Yield a text, and those of this repository's actions that it uses, and so on."""
    yield text
    for name in re.findall(r"\./(\.github/actions/[\w-]+)", text):
        yield from _with_actions(files, files[f"{name}/action.yml"])


def _runs(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("run"), str):
            yield value["run"]
        for inner in value.values():
            yield from _runs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _runs(inner)


def _verbs() -> list[str]:
    return re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
