"""The stack `local` on a live cluster, and an application beside it."""

import json

import pytest

from tests.live.application import send_trace
from tests.live.asking import bring_up
from tests.live.cluster import api, application, project
from tests.sandbox.conftest import Project

__all__ = ["api", "application", "project"]


@pytest.fixture(scope="package", autouse=True)
def local(project: Project) -> None:
    """The stack is up for all tests of this folder; it goes with the cluster."""
    project.prepare("local")
    bring_up(project, "local")


@pytest.fixture(scope="package")
def trace(project: Project, application: str) -> None:
    """A trace was sent from the application to the endpoint that the stack gives."""
    endpoint = json.loads(project.pulumi("local", "stack", "output", "--json").stdout)["otlpEndpoint"]
    send_trace(project, application, endpoint)
