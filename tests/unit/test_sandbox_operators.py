"""When the supervisor starts, restarts and ends an operator."""

import subprocess
from typing import cast

import pytest

from sandbox.operators import HEALTHY_SECONDS, LONGEST_PAUSE_SECONDS, Operator, Supervised

OPERATOR = Operator("some-operator", frozenset({"a.example", "b.example"}), [], {})
GROUPS = {"apps", "a.example", "b.example"}


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


def test_it_waits_for_every_group(scene: Scene) -> None:
    scene.supervised.keep({"apps", "a.example"})
    assert scene.started == []
    scene.supervised.keep(GROUPS)
    scene.supervised.keep(GROUPS)
    assert len(scene.started) == 1


def test_each_failure_doubles_the_pause(scene: Scene) -> None:
    scene.supervised.keep(GROUPS)
    pauses = []
    for _ in range(7):
        scene.fail()
        pauses.append(scene.supervised.not_before - scene.now)
        scene.now = scene.supervised.not_before - 0.1
        scene.supervised.keep(GROUPS)
        assert scene.supervised.process is None
        scene.now += 0.1
        scene.supervised.keep(GROUPS)
        assert scene.supervised.process is not None
    assert pauses == [1, 2, 4, 8, 16, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]


def test_a_failure_after_a_long_run_counts_as_the_first(scene: Scene) -> None:
    scene.supervised.keep(GROUPS)
    scene.supervised.failures = 5
    scene.now += HEALTHY_SECONDS + 1
    scene.fail()
    assert scene.supervised.not_before == scene.now + 1


def test_it_ends_when_its_groups_are_gone_and_comes_back_at_once(scene: Scene) -> None:
    scene.supervised.keep(GROUPS)
    scene.supervised.keep({"apps"})
    assert scene.started[0].status == -9
    scene.supervised.keep(GROUPS)
    assert len(scene.started) == 2
