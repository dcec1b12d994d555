"""The processes of a sandbox: found by the path they were started with, so that no process id is trusted blindly."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from sandbox.layout import Sandbox

PATIENCE_SECONDS = 15
# Linux, where `ps` may be missing; elsewhere it is there.
PROC = Path("/proc")
# The names under which `running` lists those that are Python programs: who supervises the operators of a simulated
# cluster, who holds a live one, and the first process of that.
OPERATORS = "sandbox.operators"
LIVE_HOST = "sandbox.live.host"
LIVE_NODE = "sandbox.live.node"


class SandboxError(Exception):
    """The sandbox cannot do what was asked; the message names the cause and the remedy."""


def run(command: list[str], env: dict[str, str] | None = None) -> str:
    """Run a command to its end and return its standard output.

    Raises SandboxError with what it wrote to standard error if it fails.
    """
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SandboxError(f"`{' '.join(command[:4])} …` failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def running(sandbox: Sandbox) -> dict[str, list[int]]:
    """Return the ids of the running processes of this sandbox by the name of their program."""
    found = below(sandbox.directory)
    for pid, command in _commands():
        for module in (OPERATORS, LIVE_HOST, LIVE_NODE):
            if f"-m {module} {sandbox.directory} " in command:
                found.setdefault(module, []).append(pid)
    return found


def below(directory: Path) -> dict[str, list[int]]:
    """Return the ids of the running processes that were started by a path below `directory`, by program."""
    found: dict[str, list[int]] = {}
    for pid, command in _commands():
        if command.startswith(f"{directory}/"):
            path = command.removeprefix(f"{directory}/").partition(" ")[0]
            found.setdefault(path.rpartition("/")[2], []).append(pid)
    return found


def _commands() -> Iterator[tuple[int, str]]:
    """Yield the id and the command line of every process."""
    if PROC.exists():
        for file in PROC.glob("[0-9]*/cmdline"):
            # One that has just ended has no file any more, or an empty one.
            with suppress(OSError):
                yield int(file.parent.name), file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    else:
        for line in run(["ps", "-axww", "-o", "pid=,command="]).splitlines():
            pid, command = line.split(maxsplit=1)
            yield int(pid), command


def stop(sandbox: Sandbox, *names: str) -> None:
    """Kill the programs of these names, all of the sandbox if none is given, and wait until they are gone.

    They are killed at once: nothing that they hold outlives the sandbox.

    Raises:
        SandboxError: one stays, or belongs to another user.
    """
    _kill(lambda: [pid for name, pids in running(sandbox).items() if not names or name in names for pid in pids])


def stop_below(directory: Path) -> None:
    """Kill what was started by a path below `directory`, and wait until it is gone.

    Raises:
        SandboxError: one stays, or belongs to another user.
    """
    _kill(lambda: [pid for pids in below(directory).values() for pid in pids])


def _kill(remaining: Callable[[], list[int]]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while pids := remaining():
        if time.monotonic() > deadline:
            raise SandboxError(f"the processes {pids} of the sandbox do not end; end them by hand: kill -9 …")
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            except PermissionError as error:
                raise SandboxError("the processes of the sandbox are root's: run the same as root") from error
        time.sleep(0.05)
