"""What a live cluster was like when a test of it failed."""

import subprocess
from collections.abc import Generator

import pytest

from sandbox.program_pins import KUBECTL
from tests.sandbox.conftest import Project

ASKED = {
    "pods": ("get", "pods", "--output=wide"),
    "what Elastic's operator says": ("get", "elasticsearch", "--output=jsonpath={.items[*].status}"),
    "its log": ("logs", "elastic-operator-0", "--tail=30"),
    "events": ("get", "events", "--sort-by=.metadata.creationTimestamp"),
}
LINES = 40


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to the report of a failed test what the cluster's API server says."""
    report = yield
    project = item.funcargs.get("project")
    if report.failed and isinstance(project, Project):
        report.sections += [(what, _answer(project, *command)) for what, command in ASKED.items()]
    return report


def _answer(project: Project, *command: str) -> str:
    kubectl = [str(KUBECTL.path), f"--kubeconfig={project.sandbox.kubeconfig}", "--namespace=monitoring"]
    done = subprocess.run([*kubectl, *command], capture_output=True, text=True, timeout=60, check=False)
    return "\n".join((done.stdout + done.stderr).splitlines()[-LINES:])
