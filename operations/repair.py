"""Release what a killed `pulumi up` left behind, so that the next one converges: `make repair STACK=…`.

It releases the stack's lock, clears pending operations, and removes Helm's records of the stack's own installs and
upgrades that were under way, or that ended when nobody could take note of it any more. Nothing else is touched: what
such an install has made is taken up by the next `up`. Where an update may be running, or the kubeconfig leads to
another cluster than the stack's, nothing is done.
"""

import argparse
import http.client
import json
import os
import pwd
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from kubernetes import client as api
from kubernetes import config as kubeconfig
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException
from pydantic import ValidationError
from urllib3.exceptions import HTTPError

from components.foundation import helm_records
from components.foundation.names import RELEASES
from components.foundation.ownership import OWNER, owner
from components.settings import PROJECT
from components.settings.foundation import ClusterSettings
from components.settings.kubeconfig import problems
from operations.liveness import is_alive

_NAMESPACE = "kubernetes:core/v1:Namespace"


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
        RepairError: an update is or may be running, the kubeconfig leads to another cluster, or the stack or its
            cluster cannot be reached.
    """
    pulumi = _Pulumi(stack, environment, root)
    cluster = _cluster(pulumi)
    released = list(_release_lock(pulumi))
    end_provider()
    state = json.loads(pulumi("stack", "export"))
    pending: list[dict[str, Any]] = state["deployment"].pop("pending_operations", None) or []
    if pending:
        _write(pulumi, state)
    cleared = [
        f"cleared the pending operation {operation['type']} of {_name(operation['resource'])}" for operation in pending
    ]
    unknown = [
        _name(each["resource"])
        for each in pending
        if each["type"] == "creating" and each["resource"]["type"] == helm_records.RELEASE_TYPE
    ]
    resources = state["deployment"].get("resources") or []
    namespaces = {_name(one) for one in resources if one["type"] == _NAMESPACE}
    return [*released, *cleared, *_remove_records(pulumi, cluster, namespaces, unknown)]


class _Pulumi:
    """The command line of one stack."""

    def __init__(self, stack: str, environment: dict[str, str], root: Path) -> None:
        self.stack, self.environment, self.root = stack, environment, root

    def __call__(self, *arguments: str) -> str:
        """Return what `pulumi` prints about the stack."""
        return self.of_backend(*arguments, "--stack", self.stack)

    def of_backend(self, *arguments: str) -> str:
        """Return what `pulumi` prints about no stack."""
        program = self.environment.get("PATH", os.defpath)
        try:
            done = subprocess.run(
                ["pulumi", *arguments, "--non-interactive"],
                cwd=self.root,
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


def _cluster(pulumi: _Pulumi) -> ClusterSettings:
    """Return the cluster that the stack names, to which the kubeconfig leads."""
    try:
        cluster = ClusterSettings.model_validate_json(pulumi("config", "get", f"{PROJECT}:cluster"))
    except ValidationError:
        raise RepairError(f"stack {pulumi.stack} names no cluster: `pulumi preview` says what is wrong") from None
    if wrong := problems(cluster, pulumi.environment):
        raise RepairError(f"nothing was done: {wrong[0]}")
    return cluster


def _release_lock(pulumi: _Pulumi) -> Iterator[str]:
    sure = f"if you are sure that no update runs: pulumi cancel --stack {pulumi.stack}"
    url = json.loads(pulumi.of_backend("whoami", "--json"))["url"]
    if not url.startswith("file://"):
        try:
            # Whoever writes the state takes the lock first: it is refused where somebody has it, and told who.
            _write(pulumi, json.loads(pulumi("stack", "export")))
        except RepairError as error:
            raise RepairError(f"{error}\nNothing was done. Is it locked, and {sure}") from error
        return
    locks = _locks(pulumi, _state(pulumi, url))
    for path, lock in locks.items():
        who = f"{lock.get('username')}@{lock.get('hostname')}, process {lock.get('pid')}"
        if not isinstance(lock.get("pid"), int) or lock.get("hostname") != socket.gethostname():
            raise RepairError(f"whether {who} still updates stack {pulumi.stack} cannot be seen here ({path}); {sure}")
        if is_alive(lock["pid"]):
            raise RepairError(
                f"stack {pulumi.stack} is being updated by process {lock['pid']}: wait until it ends; "
                f"where that is no pulumi, {sure}"
            )
    if locks:
        pulumi("cancel", "--yes")
    for lock in locks.values():
        yield f"released the lock of {lock['username']}@{lock['hostname']}, process {lock['pid']}"


def _state(pulumi: _Pulumi, url: str) -> Path:
    """Return the folder of a backend in files, as Pulumi finds it: `~` is the user's home, whatever HOME says."""
    path = url.removeprefix("file://").partition("?")[0]
    if path.startswith("~"):
        path = pwd.getpwuid(os.getuid()).pw_dir + path[1:]
    folder = pulumi.root / path / ".pulumi"
    if not folder.is_dir():
        raise RepairError(f"the state of backend {url} is not in {folder}, so that nobody knows whether an update runs")
    return folder


def _locks(pulumi: _Pulumi, state: Path) -> dict[Path, dict[str, Any]]:
    """Return who has locked the stack, by the file that says it."""
    files = sorted((state / "locks" / "organization" / PROJECT / pulumi.stack).glob("*.json"))
    try:
        return {path: dict(json.loads(path.read_text())) for path in files}
    except (OSError, ValueError) as error:
        raise RepairError(
            f"stack {pulumi.stack} is locked, and by whom cannot be read: {error}; "
            f"if you are sure that no update runs: pulumi cancel --stack {pulumi.stack}"
        ) from error


def _write(pulumi: _Pulumi, state: dict[str, Any]) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(state, file)
        file.flush()
        pulumi("stack", "import", "--file", file.name)


def _name(resource: dict[str, Any]) -> str:
    return str(resource["urn"].split("::")[-1])


def _remove_records(
    pulumi: _Pulumi, cluster: ClusterSettings, namespaces: Collection[str], unknown: Sequence[str]
) -> Iterator[str]:
    """Remove the records of what was under way, and all of the Releases that Pulumi does not know to be there.

    Args:
        pulumi: of the stack.
        cluster: the stack's.
        namespaces: which the stack's state holds.
        unknown: the Releases that were being created.
    """
    selectors = [helm_records.selector(statuses=helm_records.UNDER_WAY)]
    selectors += [helm_records.selector(unknown)] if unknown else []
    file = pulumi.environment.get("KUBECONFIG")
    try:
        core = api.CoreV1Api(kubeconfig.new_client_from_config(file, cluster.context))  # type: ignore[no-untyped-call]
        for namespace, ours in RELEASES.items():
            if not _is_of(pulumi.stack, core, namespace, namespaces):
                continue
            lists = [core.list_namespaced_secret(namespace, label_selector=one).items for one in selectors]
            found: dict[str, Any] = {each.metadata.name: each.metadata for items in lists for each in items}  # type: ignore[union-attr,misc]
            for metadata in found.values():
                record = helm_records.Record.of(metadata.labels)
                if record.release in ours:
                    core.delete_namespaced_secret(metadata.name, namespace)
                    what = f"{record.release} v{record.revision} ({record.status})"
                    yield f"removed the Helm record {what} in {namespace}"
    except (ApiException, ConfigException, HTTPError) as error:
        raise RepairError(
            f"the cluster of context {cluster.context!r} cannot be asked for Helm's records: {error}"
        ) from error


def _is_of(stack: str, core: api.CoreV1Api, namespace: str, held: Collection[str]) -> bool:
    """Return whether a namespace is there and the stack's: by its owner, or where it has none by the stack's state."""
    try:
        annotations = core.read_namespace(namespace).metadata.annotations or {}  # type: ignore[union-attr]
    except ApiException as error:
        if error.status == http.client.NOT_FOUND:
            return False
        raise
    return annotations[OWNER] == owner(stack) if OWNER in annotations else namespace in held


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
