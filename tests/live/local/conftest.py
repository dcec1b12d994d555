"""The stack `local` on a live cluster, and an application beside it."""

import json
from collections.abc import Iterator

import pytest
from kubernetes import config

from tests.live.application import send_trace, start_application
from tests.live.asking import bring_up
from tests.live.cluster import project_on_live_cluster
from tests.sandbox.conftest import Api, Project


@pytest.fixture(scope="package")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The program on a live cluster of its own."""
    yield from project_on_live_cluster(tmp_path_factory.mktemp("live"))


@pytest.fixture(scope="package")
def api(project: Project) -> Api:
    """The cluster's API server."""
    return Api(config.new_client_from_config(str(project.sandbox.kubeconfig)))  # type: ignore[no-untyped-call]


@pytest.fixture(scope="package", autouse=True)
def local(project: Project) -> None:
    """The stack is up for all tests of this folder; it goes with the cluster."""
    project.prepare("local")
    bring_up(project, "local")


@pytest.fixture(scope="package")
def application(api: Api) -> str:
    """A pod in the application's namespace, whose first process logs one line a second."""
    return start_application(api)


@pytest.fixture(scope="package")
def trace(project: Project, application: str) -> None:
    """A trace was sent from the application to the endpoint that the stack gives."""
    endpoint = json.loads(project.pulumi("local", "stack", "output", "--json").stdout)["otlpEndpoint"]
    send_trace(project, application, endpoint)
