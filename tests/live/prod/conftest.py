"""The stack `prod` on a live cluster, at sizes for one machine, with an S3 and a mail relay in a pod."""

from collections.abc import Iterator

import pytest
from kubernetes import config

from sandbox.sizes import of_one_machine
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
def prod(project: Project) -> None:
    """The stack is up for all tests of this folder; it goes with the cluster."""
    project.prepare("prod", **of_one_machine(project.folder))
    bring_up(project, "prod")
