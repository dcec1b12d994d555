"""The stack `prod` on a live cluster, at sizes for one machine, with an S3 and a mail relay in a pod."""

import pytest

from tests.live.asking import bring_up
from tests.live.cluster import api, application, project
from tests.sandbox.conftest import Project

__all__ = ["api", "application", "project"]


@pytest.fixture(scope="package", autouse=True)
def prod(project: Project) -> None:
    """The stack is up for all tests of this folder; it goes with the cluster."""
    project.prepare("prod")
    bring_up(project, "prod")
