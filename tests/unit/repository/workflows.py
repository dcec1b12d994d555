"""What is wrong with the workflows: what actionlint does not know, for it is this repository's own."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.offline import ROOT

_SAME_REPOSITORY = "github.event.pull_request.head.repo.full_name == github.repository"
_STACK_ACTION = "./.github/actions/stack"
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
        *(f"{file}: job {name}: {what}" for file, name, job in jobs(files) for what in _of_job(files[file], job)),
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


def _of_job(text: str, job: dict[str, Any]) -> Iterator[str]:
    if "permissions" not in job:
        yield "no permissions of its own"
    calls = str(job.get("uses", ""))
    if not calls and "timeout-minutes" not in job:
        yield "no timeout-minutes"
    of_pull_request = "pull_request" in str(yaml.safe_load(text)[True])
    if of_pull_request and "secrets." in str(job) and _SAME_REPOSITORY not in str(job.get("if")):
        yield "a fork's branch would get here, and there are secrets"
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
