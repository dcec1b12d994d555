"""Release what a killed `pulumi up` left behind, so that the next one converges: `make repair STACK=…`.

It releases the stack's lock, clears pending operations, and removes Helm's records of installs and upgrades that were
under way, or that ended when nobody could take note of it any more. Nothing else is touched: what such an install has
made is taken up by the next `up`.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from kubernetes import client as api
from kubernetes import config as kubeconfig
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException
from urllib3.exceptions import HTTPError

from components.foundation.names import AGENTS, MONITORING
from components.settings import PROJECT

_RELEASE = "kubernetes:helm.sh/v3:Release"
_UNDER_WAY = "owner=helm,status in (pending-install, pending-upgrade, pending-rollback)"


class RepairError(Exception):
    """The stack cannot be repaired; the message says why, and what to do."""


def repair(
    stack: str, environment: dict[str, str], root: Path, end_provider: Callable[[], None] = lambda: None
) -> list[str]:
    """Repair `stack`, and return a line for each thing that was released, cleared or removed.

    Args:
        stack: the stack's name.
        environment: of `pulumi`: it names the backend, the passphrase, the kubeconfig.
        root: the project's folder.
        end_provider: ends a provider that outlived its engine, once it is known that no update is running.

    Raises:
        RepairError: an update is running, or the stack or its cluster cannot be reached.
    """
    pulumi = _Pulumi(stack, environment, root)
    released = list(_release_lock(pulumi))
    end_provider()
    pending = _pending(pulumi)
    cleared = [f"cleared the pending operation {operation['type']} of {_name(operation)}" for operation in pending]
    unknown = [_name(each) for each in pending if each["type"] == "creating" and each["resource"]["type"] == _RELEASE]
    return [*released, *cleared, *_remove_records(pulumi, unknown)]


class _Pulumi:
    """The command line of one stack."""

    def __init__(self, stack: str, environment: dict[str, str], root: Path) -> None:
        self.stack, self.environment, self._root = stack, environment, root

    def __call__(self, *arguments: str) -> str:
        command = ["pulumi", *arguments, "--stack", self.stack, "--non-interactive"]
        program = self.environment.get("PATH", os.defpath)
        try:
            done = subprocess.run(
                command,
                cwd=self._root,
                env={**self.environment, "PATH": program},
                capture_output=True,
                text=True,
                check=False,
            )
        except FileNotFoundError:
            raise RepairError("there is no pulumi on the PATH: see the README") from None
        if done.returncode != 0:
            raise RepairError(f"`pulumi {' '.join(arguments)}` failed: {(done.stderr or done.stdout).strip()}")
        return done.stdout


def _release_lock(pulumi: _Pulumi) -> Iterator[str]:
    backend = pulumi.environment.get("PULUMI_BACKEND_URL", "")
    if not backend.startswith("file://"):
        # Who holds the lock of another backend cannot be seen from here: `make repair` is the user's word for it.
        pulumi("cancel", "--yes")
        return
    folder = Path(backend.removeprefix("file://")) / ".pulumi" / "locks" / "organization" / PROJECT / pulumi.stack
    locks = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    for lock in locks:
        if lock.get("hostname") == socket.gethostname() and Path(f"/proc/{lock.get('pid')}").exists():
            raise RepairError(f"stack {pulumi.stack} is being updated by process {lock['pid']}: wait until it ends")
    if locks:
        pulumi("cancel", "--yes")
    for lock in locks:
        yield f"released the lock of {lock.get('username')}@{lock.get('hostname')}, process {lock.get('pid')}"


def _pending(pulumi: _Pulumi) -> list[dict[str, Any]]:
    """Take the pending operations out of the state, and return them."""
    exported = json.loads(pulumi("stack", "export"))
    pending: list[dict[str, Any]] = exported["deployment"].pop("pending_operations", None) or []
    if not pending:
        return []
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(exported, file)
        file.flush()
        pulumi("stack", "import", "--file", file.name)
    return pending


def _name(operation: dict[str, Any]) -> str:
    return str(operation["resource"]["urn"].split("::")[-1])


def _remove_records(pulumi: _Pulumi, unknown: Sequence[str]) -> Iterator[str]:
    """Remove the records of what was under way, and all of the Releases that Pulumi does not know to be there."""
    selectors = [_UNDER_WAY, *([f"owner=helm,name in ({', '.join(unknown)})"] if unknown else [])]
    context = pulumi("config", "get", "--path", f"{PROJECT}:cluster.context").strip()
    file = pulumi.environment.get("KUBECONFIG")
    try:
        core = api.CoreV1Api(kubeconfig.new_client_from_config(file, context))  # type: ignore[no-untyped-call]
        for namespace in (MONITORING, AGENTS):
            lists = [core.list_namespaced_secret(namespace, label_selector=one).items for one in selectors]
            found: dict[str, Any] = {each.metadata.name: each.metadata for items in lists for each in items}  # type: ignore[union-attr,misc]
            for metadata in found.values():
                core.delete_namespaced_secret(metadata.name, namespace)
                labels = metadata.labels
                record = f"{labels['name']} v{labels['version']} ({labels['status']})"
                yield f"removed the Helm record {record} in {namespace}"
    except (ApiException, ConfigException, HTTPError) as error:
        raise RepairError(f"the cluster of context {context!r} cannot be asked for Helm's records: {error}") from error


def main() -> int:
    """Repair one stack. Returns 0, or 1 where it cannot be repaired now."""
    parser = argparse.ArgumentParser(prog="make repair", description=__doc__)
    parser.add_argument("--stack", required=True, help="the stack whose update was killed")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")
    arguments = parser.parse_args()
    try:
        done = repair(arguments.stack, dict(os.environ), Path(__file__).parent.parent)
    except RepairError as error:
        print(f"repair: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps({"stack": arguments.stack, "done": done}, indent=2))
    else:
        print("\n".join(done) if done else f"nothing to repair in stack {arguments.stack}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
