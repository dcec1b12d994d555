"""The engine, begun and killed while it does something."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from sandbox import processes
from sandbox.program_pins import PROVIDER
from tests.sandbox.conftest import Api, Project

STACK = "local"


@pytest.fixture(autouse=True)
def clean(project: Project) -> Iterator[None]:
    """What a test leaves of the stack is repaired, and destroyed; for each test of a file that imports it."""
    project.prepare(STACK)
    yield
    project.repair(STACK)
    project.prepare(STACK)
    project.destroy(STACK)


def begin(project: Project, *arguments: str) -> subprocess.Popen[bytes]:
    """Start the engine in a process group of its own."""
    variables = project.environment(STACK)
    return subprocess.Popen(
        [str(shutil.which("pulumi", path=variables["PATH"])), *arguments, "--non-interactive"],
        cwd=project.folder,
        env=variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def wait_for(what: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float = 120) -> None:
    """Wait until `what` holds, which must be before the process ends."""
    deadline = time.monotonic() + seconds
    while not what():
        assert process.poll() is None, "the update ended before it could be interrupted"
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)


def under_way(api: Api, status: str) -> Callable[[], bool]:
    """Return whether Helm has a record of this status of Prometheus, whose pods take their time to become ready."""
    selector = f"owner=helm,name=prometheus,status={status}"
    return lambda: bool(api.core.list_namespaced_secret("monitoring", label_selector=selector).items)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the engine; its provider goes on."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def crash(process: subprocess.Popen[bytes], project: Project) -> None:
    """Kill the engine and its provider, as a machine does that goes down: a provider might still end what it began."""
    kill(process)
    processes.stop(project.sandbox, PROVIDER.name)
