"""How the processes of one sandbox are told from all others."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox import processes
from sandbox.layout import Sandbox
from sandbox.processes import OPERATORS, SandboxError, run, running, stop

Start = Callable[[Path], "subprocess.Popen[bytes]"]


@pytest.fixture(params=["proc", "ps"])
def _listing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the processes the way of Linux and the way of other systems."""
    if request.param == "ps":
        monkeypatch.setattr(processes, "PROC", Path("/nonexistent"))
    elif not processes.PROC.exists():
        pytest.skip("this system has no /proc")


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a program that sleeps under a path of one's choice."""
    started: list[subprocess.Popen[bytes]] = []

    def sleeper(path: Path) -> "subprocess.Popen[bytes]":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to("/bin/sleep")
        started.append(subprocess.Popen([path, "60"]))
        return started[-1]

    yield sleeper
    for process in started:
        process.kill()
        process.wait()


def _reaped(process: "subprocess.Popen[bytes]") -> bool:
    return process.wait(timeout=5) != 0


@pytest.mark.usefixtures("_listing")
def test_a_sandbox_sees_and_stops_its_own_only(tmp_path: Path, start: Start) -> None:
    ours, theirs = Sandbox(tmp_path / "one sandbox"), Sandbox(tmp_path / "one sandbox too")
    etcd, scheduler = start(ours.servers / "etcd"), start(ours.servers / "kube-scheduler")
    other = start(theirs.servers / "etcd")
    editor = subprocess.Popen(["/bin/sleep", "60"], cwd=ours.directory)
    time.sleep(0.1)
    assert running(ours) == {"etcd": [etcd.pid], "kube-scheduler": [scheduler.pid]}
    assert running(theirs) == {"etcd": [other.pid]}
    stop(ours, "etcd")
    assert _reaped(etcd)
    assert running(ours) == {"kube-scheduler": [scheduler.pid]}
    stop(ours)
    assert _reaped(scheduler)
    assert other.poll() is None
    assert editor.poll() is None
    editor.kill()
    editor.wait()


def test_the_supervisor_is_known_by_its_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = Sandbox(tmp_path / "a"), Sandbox(tmp_path / "ab")
    commands = [
        (11, f"python -m {OPERATORS} {one.directory} 26443"),
        (12, f"python -m {OPERATORS} {other.directory} 1"),
    ]
    monkeypatch.setattr(processes, "_commands", lambda: iter(commands))
    assert running(one) == {OPERATORS: [11]}


def test_what_does_not_end_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PATIENCE_SECONDS", 0)
    monkeypatch.setattr(os, "kill", lambda *_: None)
    monkeypatch.setattr(processes, "running", lambda _: {"etcd": [4711]})
    with pytest.raises(SandboxError, match="4711"):
        stop(Sandbox(tmp_path))


def test_a_failing_command_says_what_it_said() -> None:
    with pytest.raises(SandboxError, match=r"`sh -c echo no >&2; exit 3 …` failed: no$"):
        run(["sh", "-c", "echo no >&2; exit 3"])
