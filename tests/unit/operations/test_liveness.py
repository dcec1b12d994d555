"""Which processes count as alive, with /proc as on Linux and without it as on macOS."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest

from operations.liveness import is_alive


@pytest.fixture(params=["with /proc", "without /proc"], autouse=True)
def _machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if request.param == "without /proc":
        monkeypatch.setattr("operations.liveness._PROC", tmp_path / "none")


@pytest.fixture
def ended() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has ended, and that its parent has not reaped."""
    process = subprocess.Popen(["true"])
    end = time.monotonic() + 10
    while is_alive(process.pid) and time.monotonic() < end:
        time.sleep(0.01)
    yield process
    process.wait()


def test_this_one_is() -> None:
    assert is_alive(os.getpid())


def test_one_that_was_not_reaped_is_dead(ended: subprocess.Popen[bytes]) -> None:
    os.kill(ended.pid, 0)  # there is such a process, for the kernel
    assert not is_alive(ended.pid)


def test_one_that_was_reaped_is_dead() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert not is_alive(process.pid)


def test_that_of_another_user_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.kill", Mock(side_effect=PermissionError))
    assert is_alive(os.getpid())


def test_in_doubt_it_is_alive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("operations.liveness._PROC", tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path))  # where there is no ps
    assert is_alive(os.getpid())
