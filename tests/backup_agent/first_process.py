"""Runs a program as a container does: as the first process of a pid namespace, with a host name of its own.

The kernel treats the first process of a namespace in a way of its own: a signal without a handler does not reach it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

# The kubelet waits longer, unless a pod's grace period is short; ours promise to need no more.
SECONDS = 10

_NAMESPACES = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--uts"]
_ENTER = "import os, socket, sys; socket.sethostname(sys.argv[1]); os.execvp(sys.argv[2], sys.argv[2:])"
# Names are looked up at a server that says nothing, in a network that leads nowhere else.
_ENTER_WITHOUT_DNS = f"""
import socket, subprocess, sys, os
for name, text in (("resolv.conf", "nameserver 127.0.0.1\\noptions timeout:30"), ("nsswitch.conf", "hosts: dns")):
    with open(name, "w") as file:
        print(text, file=file)
    subprocess.run(["mount", "--bind", name, "/etc/" + name], check=True)
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(("127.0.0.1", 53))
os.set_inheritable(silent.fileno(), True)
{_ENTER}
"""


@dataclass
class FirstProcess:
    """A program that runs as the first process of its namespace; what it says is in the file `log`."""

    unshare: "subprocess.Popen[bytes]"
    log: Path

    def __post_init__(self) -> None:
        self.until(lambda: _children(self.unshare.pid), 10)
        (self.pid,) = _children(self.unshare.pid)  # as it is called out here

    def said(self) -> str:
        return self.log.read_text()

    def runs(self) -> list[str]:
        """Return the command lines of its children."""
        lines = []
        for child in _children(self.pid):
            with suppress(OSError):  # it has ended
                lines.append(Path(f"/proc/{child}/cmdline").read_text().replace("\0", " "))
        return lines

    def until(self, condition: Callable[[], object], seconds: float = 60) -> None:
        """Wait until it has come to that, whatever it is."""
        deadline = time.monotonic() + seconds
        while not condition():
            if self.unshare.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"it never came to that; it said:\n{self.said()}")
            time.sleep(0.05)

    def tell(self, number: signal.Signals, patience: float = 3 * SECONDS) -> tuple[int, float]:
        """Send it a signal, and return its exit status and how many seconds it took to end."""
        began = time.monotonic()
        os.kill(self.pid, number)
        try:
            status = self.unshare.wait(patience)
        except subprocess.TimeoutExpired:
            pytest.fail(f"{patience} s after {number.name} it still runs; it said:\n{self.said()}")
        return status, time.monotonic() - began

    def stop(self, status: int) -> None:
        """Stop it as the kubelet does: within ten seconds it must have ended, with that status."""
        ended, seconds = self.tell(signal.SIGTERM)
        print(f"\n  ended with {ended}, {seconds:.2f} s after SIGTERM")
        assert (ended, seconds < SECONDS) == (status, True), self.said()
        assert "Traceback" not in self.said()


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


@contextmanager
def started(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, host: str, dns: bool = True
) -> Iterator[FirstProcess]:
    """Run a command in `folder` until the context ends.

    Args:
        command: found on the PATH of `environment`.
        environment: all that it has of it.
        folder: an empty one, for its log.
        host: the name that it finds itself on.
        dns: whether names are looked up as on this machine, or at a server that never answers.
    """
    namespaces = [*_namespaces(), *([] if dns else ["--net"])]
    enter = [sys.executable, "-c", _ENTER if dns else _ENTER_WITHOUT_DNS, host]
    folder.mkdir()
    log = folder / "log"
    with log.open("w") as file:
        unshare = subprocess.Popen(
            [*namespaces, *enter, *command], cwd=folder, env=environment, stdout=file, stderr=subprocess.STDOUT
        )
    try:
        yield FirstProcess(unshare, log)
    finally:
        unshare.kill()
        unshare.wait()


def _namespaces() -> list[str]:
    """Return the command that makes the namespaces; where the machine refuses that, the test is skipped."""
    command = _NAMESPACES if os.geteuid() == 0 else [*_NAMESPACES, "--user", "--map-root-user"]
    try:
        done = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("unshare (util-linux) is not installed")
    if done.returncode:
        pytest.skip(
            f"this machine gives no pid namespace: {done.stderr.strip()}. As root it does, or, on Ubuntu, after "
            "sysctl kernel.apparmor_restrict_unprivileged_userns=0"
        )
    return command
