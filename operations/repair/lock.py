"""The lock of a stack, which a killed update leaves behind."""

import json
import os
import pwd
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components.settings import PROJECT
from operations.engine import EngineError, Pulumi
from operations.liveness import is_alive

from . import RepairError


def release(pulumi: Pulumi) -> Iterator[str]:
    """Release the lock of a stack that nobody updates any more, and say whose it was.

    Raises:
        RepairError: an update is running, or nobody can see that none is.
    """
    sure = f"if you are sure that no update runs: pulumi cancel --stack {pulumi.stack}"
    url = json.loads(pulumi.of_backend("whoami", "--json"))["url"]
    if not url.startswith("file://"):
        try:
            # Whoever writes the state takes the lock first: it is refused where somebody has it, and told who.
            pulumi.write(pulumi.state())
        except EngineError as error:
            raise RepairError(f"{error}\nNothing was done. Is it locked, and {sure}") from error
        return
    locks = _locks(pulumi, _folder(pulumi, url))
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


def _folder(pulumi: Pulumi, url: str) -> Path:
    """Return the folder of a backend in files, as Pulumi finds it: `~` is the user's home, whatever HOME says."""
    path = url.removeprefix("file://").partition("?")[0]
    if path.startswith("~"):
        path = pwd.getpwuid(os.getuid()).pw_dir + path[1:]
    folder = pulumi.root / path / ".pulumi"
    if not folder.is_dir():
        raise RepairError(f"the state of backend {url} is not in {folder}, so that nobody knows whether an update runs")
    return folder


def _locks(pulumi: Pulumi, folder: Path) -> dict[Path, dict[str, Any]]:
    """Return who has locked the stack, by the file that says it."""
    files = sorted((folder / "locks" / "organization" / PROJECT / pulumi.stack).glob("*.json"))
    try:
        return {path: dict(json.loads(path.read_text())) for path in files}
    except (OSError, ValueError) as error:
        raise RepairError(
            f"stack {pulumi.stack} is locked, and by whom cannot be read: {error}; "
            f"if you are sure that no update runs: pulumi cancel --stack {pulumi.stack}"
        ) from error
