"""The stack `prod` on a live cluster, at sizes for one machine, with an S3 and a mail relay in a pod."""

import pytest

from tests.live.application import start_application
from tests.live.asking import bring_up
from tests.live.cluster import api, project
from tests.sandbox.conftest import Api, Project

__all__ = ["api", "project"]


@pytest.fixture(scope="package", autouse=True)
def prod(project: Project) -> None:
    """The stack is up for all tests of this folder; it goes with the cluster."""
    project.prepare("prod")
    bring_up(project, "prod")


@pytest.fixture(scope="package")
def application(api: Api) -> str:
    """A pod in the application's namespace, whose first process logs one line a second."""
    return start_application(api)
