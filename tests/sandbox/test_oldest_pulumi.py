"""The life of a stack by the oldest Pulumi that can be built; all other tests have the newest."""

import shutil
from collections.abc import Iterator

import pytest

from sandbox.build import ensure
from sandbox.environment import install
from sandbox.program_pins import OLDEST_PULUMI, PULUMI
from tests.sandbox.conftest import Project
from tests.sandbox.killing import STACK, clean
from tests.sandbox.local.test_drift import drift

__all__ = ["clean"]

pytestmark = pytest.mark.long


@pytest.fixture(autouse=True)
def oldest(project: Project) -> Iterator[None]:
    """The engine of the sandbox is the oldest one."""
    ensure([OLDEST_PULUMI])
    engine = project.sandbox.bin / PULUMI.file_name
    engine.unlink(missing_ok=True)
    shutil.copy2(OLDEST_PULUMI.path, engine)
    yield
    engine.unlink()
    install(project.sandbox)


def test_it_brings_a_stack_up_explains_a_failure_and_goes_on_after_it(project: Project) -> None:
    assert project.pulumi(STACK, "version").stdout.strip() == f"v{OLDEST_PULUMI.version}"
    print(f"\n{project.up(STACK)}")
    assert set(project.up(STACK)) == {"unchanged"}
    too_much = {"requests": {"cpu": "100", "memory": "512Mi"}}  # never scheduled
    project.prepare(STACK, alertmanager={"resources": too_much}, charts={"timeoutSeconds": 15})
    said = project.pulumi(STACK, "up", "--yes", "--skip-preview").stdout
    assert "pod alertmanager-0: not scheduled: 0/3 nodes are available" in said
    project.prepare(STACK)
    print(project.up(STACK))
    assert drift(project).status == 0
    print(project.destroy(STACK))
