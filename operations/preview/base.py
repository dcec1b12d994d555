"""The steps from the program of a git ref to that of this checkout, without engine, cluster or secrets.

Both trees run under Pulumi's mocks, and what they register is compared. What the engine alone knows is missing: what
AWS replaces, and what a secret is. A secret is another one where what is encrypted in the stack's file is another.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.foundation.helm_records import RELEASE_TYPE
from operations.preview.steps import PreviewError, Step, masked, secret_changes

# The second is what it is called in older trees.
_RUNNERS = (Path("operations") / "offline_run.py", Path("operations") / "program.py")
# What the provider makes anew for a change, beside names, namespaces and what the program says of a resource:
# pulumi-kubernetes, provider/diff.go.
_REPLACED: dict[str, tuple[str, ...]] = {
    "Job": ("spec.selector", "spec.template"),
    "RoleBinding": ("roleRef",),
    "ClusterRoleBinding": ("roleRef",),
    "Secret": ("type",),
    "Service": ("spec.clusterIP", "spec.type"),
    "StorageClass": ("parameters", "provisioner"),
}

Resources = dict[str, dict[str, Any]]


def compare(stack: str, base: str, root: Path, charts: Path) -> list[Step]:
    """Return the steps from the program of `base` to the one in `root`.

    Args:
        stack: the stack's name.
        base: a git ref.
        root: the project's folder.
        charts: where the chart archives lie.

    Raises:
        PreviewError: there is no such ref or stack, or one of the programs fails.
    """
    with _checkout(base, root) as tree:
        for where, name in ((tree, base), (root, "this checkout")):
            if not (where / f"Pulumi.{stack}.yaml").is_file():
                raise PreviewError(f"there is no stack {stack} in {name}: Pulumi.{stack}.yaml is missing")
        runs = [(_start(where, stack), name) for where, name in ((tree, base), (root, "this checkout"))]
        before, after = (_registered(run, name, charts) for run, name in runs)
    return list(steps_of(before, after))


@contextmanager
def _checkout(base: str, root: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "base"
        _git(root, "worktree", "add", "--quiet", "--detach", str(tree), base)
        try:
            yield tree
        finally:
            _git(root, "worktree", "remove", "--force", str(tree))


def _git(root: Path, *arguments: str) -> None:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PreviewError(f"`git {' '.join(arguments)}` failed: {done.stderr.strip()}")


def _start(tree: Path, stack: str) -> subprocess.Popen[str]:
    """Start the program of a tree, by its own runner: what the one of another tree imports may not be there."""
    runner = next((tree / path for path in _RUNNERS if (tree / path).is_file()), tree / _RUNNERS[0])
    command = [sys.executable, "-P", str(runner), stack]
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        command, cwd=tree, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _registered(run: subprocess.Popen[str], name: str, charts: Path) -> Resources:
    output, errors = run.communicate()
    if run.returncode != 0:
        raise PreviewError(f"the program of {name} fails: {errors.strip()[-2000:]}")
    resources: Resources = {}
    for resource in json.loads(output):
        inputs = resource["inputs"]
        if resource["type"] == RELEASE_TYPE:
            inputs["chart"] = str(charts / Path(inputs["chart"]).name)
        if resource["custom"]:
            resources[resource["urn"]] = resource
    return resources


def steps_of(before: Resources, after: Resources) -> Iterator[Step]:
    """Yield a step for each resource that is not the same in both; an alias leads to what a resource was before."""
    former = {alias: urn for urn, resource in after.items() for alias in resource["aliases"]}
    was = {former.get(urn, urn): resource for urn, resource in before.items()}
    for urn in sorted({*was, *after}):
        old = was[urn]["inputs"] if urn in was else None
        new = after[urn]["inputs"] if urn in after else None
        if old is None or new is None:
            yield Step("delete" if new is None else "create", urn, masked(old), masked(new))
            continue
        ignored = after[urn]["ignore_changes"]
        old, new = ({key: value for key, value in one.items() if key not in ignored} for one in (old, new))
        if old != new:
            op = "replace" if _is_replaced(old, new, after[urn]["replace_on_changes"]) else "update"
            yield Step(op, urn, masked(old), masked(new), tuple(secret_changes(old, new)))


def _is_replaced(old: dict[str, Any], new: dict[str, Any], for_changes_of: Sequence[str]) -> bool:
    """Return whether the provider of Kubernetes replaces an object or a Release, or the engine does for the program."""
    identity = ("name", "namespace") if "chart" in new else ("metadata.name", "metadata.namespace")
    paths = (*identity, *_REPLACED.get(str(new.get("kind")), ()), *for_changes_of)
    return any(_at(old, path) != _at(new, path) for path in paths)


def _at(value: Any, path: str) -> Any:
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value
