"""When the supervisor starts, restarts and ends an operator."""

import signal
import subprocess
from pathlib import Path
from typing import cast
from unittest.mock import Mock

import pytest

from sandbox import operators as module
from sandbox.layout import Sandbox, ports_from
from sandbox.operators import HEALTHY_SECONDS, LONGEST_PAUSE_SECONDS, Pod, Supervised


def pod(uid: str) -> Pod:
    return {"metadata": {"uid": uid, "name": uid}}


class Process:
    """A process that runs until it is told to fail."""

    def __init__(self) -> None:
        self.status: int | None = None

    def poll(self) -> int | None:
        return self.status

    def kill(self) -> None:
        self.status = -9

    def wait(self) -> int | None:
        return self.status


class Scene:
    """A supervised operator with a clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.started: list[Process] = []
        self.supervised = Supervised(self.spawn, clock=lambda: self.now)

    def spawn(self, _: Pod) -> "subprocess.Popen[bytes]":
        self.started.append(Process())
        return cast("subprocess.Popen[bytes]", self.started[-1])

    def fail(self) -> None:
        self.started[-1].status = 1
        self.supervised.keep(pod("first"))


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def running(scene: Scene) -> Scene:
    """Return a scene in which the operator runs."""
    scene.supervised.keep(pod("first"))
    assert scene.supervised.process is not None
    return scene


def test_it_waits_for_its_pod(scene: Scene) -> None:
    scene.supervised.keep(None)
    assert scene.started == []
    scene.supervised.keep(pod("first"))
    scene.supervised.keep(pod("first"))
    assert len(scene.started) == 1


def test_each_failure_doubles_the_pause(running: Scene) -> None:
    pauses = []
    for _ in range(7):
        running.fail()
        pauses.append(running.supervised.not_before - running.now)
        running.now = running.supervised.not_before - 0.1
        running.supervised.keep(pod("first"))
        assert running.supervised.process is None
        running.now += 0.1
        running.supervised.keep(pod("first"))
        assert running.supervised.process is not None
    assert pauses == [1, 2, 4, 8, 16, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]


def test_a_failure_after_a_long_run_counts_as_the_first(running: Scene) -> None:
    running.supervised.failures = 5
    running.now += HEALTHY_SECONDS + 1
    running.fail()
    assert running.supervised.not_before == running.now + 1


def test_it_ends_with_its_pod_and_comes_back_with_the_next(running: Scene) -> None:
    running.fail()
    running.supervised.keep(None)
    assert running.supervised.process is None
    running.supervised.keep(pod("second"))
    assert len(running.started) == 2


def test_another_pod_has_a_process_of_its_own(running: Scene) -> None:
    running.supervised.keep(pod("second"))
    assert [process.status for process in running.started] == [-9, None]


def test_an_operator_that_cannot_be_started_does_not_stop_the_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox = Sandbox(tmp_path, ports_from(30000))
    sandbox.kubeconfig.touch()
    processes = {operator.name: Process() for operator in module.operators(sandbox)}
    first, second = processes

    def spawn(_api: object, _sandbox: object, operator: module.Operator, _pod: Pod) -> Process:
        if operator.name == first:
            raise ValueError("no volume like this one can be given to a process")
        return processes[operator.name]

    monkeypatch.setattr(signal, "signal", Mock())
    monkeypatch.setattr("sandbox.operators.config.new_client_from_config", Mock())
    monkeypatch.setattr(module, "running", lambda _: {})
    monkeypatch.setattr(module, "_pod", lambda _api, label: pod(label))
    monkeypatch.setattr(module, "_spawn", spawn)
    monkeypatch.setattr("time.sleep", lambda _: sandbox.kubeconfig.unlink())
    module.supervise(sandbox)
    assert "cannot be started: no volume like this one can be given to a process" in capsys.readouterr().out
    assert processes[second].status == -9, "it ran, and was ended with the sandbox"
