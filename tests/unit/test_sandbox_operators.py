"""When the supervisor starts, restarts and ends an operator."""

import subprocess
from typing import cast

import pytest

from sandbox.operators import HEALTHY_SECONDS, LONGEST_PAUSE_SECONDS, Operator, Supervised

OPERATOR = Operator("some-operator", frozenset({"a.example", "b.example"}), [], {})
GROUPS = {"a.example", "b.example"}


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
        self.supervised = Supervised(OPERATOR, self.spawn, clock=lambda: self.now)

    def spawn(self, operator: Operator) -> "subprocess.Popen[bytes]":
        self.started.append(Process())
        return cast("subprocess.Popen[bytes]", self.started[-1])

    def fail(self) -> None:
        self.started[-1].status = 1
        self.supervised.keep(GROUPS)


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def running(scene: Scene) -> Scene:
    """Return a scene in which the operator runs."""
    scene.supervised.keep(GROUPS)
    assert scene.supervised.process is not None
    return scene


def test_it_waits_for_every_group(scene: Scene) -> None:
    scene.supervised.keep({"a.example"})
    assert scene.started == []
    scene.supervised.keep(GROUPS)
    scene.supervised.keep(GROUPS)
    assert len(scene.started) == 1


def test_each_failure_doubles_the_pause(running: Scene) -> None:
    pauses = []
    for _ in range(7):
        running.fail()
        pauses.append(running.supervised.not_before - running.now)
        running.now = running.supervised.not_before - 0.1
        running.supervised.keep(GROUPS)
        assert running.supervised.process is None
        running.now += 0.1
        running.supervised.keep(GROUPS)
        assert running.supervised.process is not None
    assert pauses == [1, 2, 4, 8, 16, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]


def test_a_failure_after_a_long_run_counts_as_the_first(running: Scene) -> None:
    running.supervised.failures = 5
    running.now += HEALTHY_SECONDS + 1
    running.fail()
    assert running.supervised.not_before == running.now + 1


def test_it_ends_when_its_groups_are_gone_and_comes_back(running: Scene) -> None:
    running.supervised.keep({"a.example"})
    assert running.started[0].status == -9
    running.supervised.keep(GROUPS)
    assert len(running.started) == 2
