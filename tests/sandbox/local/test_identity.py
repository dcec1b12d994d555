"""What makes a stack's cluster the same one for the engine: nothing that a setting changes."""

from collections.abc import Iterator

import pytest

from tests.sandbox.conftest import Project

CLUSTER_CHECK = "components/foundation/cluster_check.py"


@pytest.fixture
def restored(project: Project) -> Iterator[None]:
    """What a test changes is as it was, afterwards."""
    text = (project.folder / CLUSTER_CHECK).read_text()
    yield
    (project.folder / CLUSTER_CHECK).write_text(text)
    project.prepare("local")
    project.up("local")


@pytest.mark.usefixtures("restored")
def test_another_name_of_the_cluster_changes_labels_and_replaces_nothing(project: Project) -> None:
    project.prepare("local", cluster={"name": "mangakai-lokal"})
    assert {operation for operation, _, _ in project.previewed("local")} == {"update"}
    assert set(project.up("local")) == {"updated", "unchanged"}
    assert project.previewed("local") == []


@pytest.mark.usefixtures("restored")
def test_a_stack_that_began_with_another_identity_keeps_it(project: Project) -> None:
    text = (project.folder / CLUSTER_CHECK).read_text()
    assert "cluster_identifier=PROJECT" in text
    (project.folder / CLUSTER_CHECK).write_text(
        text.replace("cluster_identifier=PROJECT", 'cluster_identifier="other"')
    )
    assert project.previewed("local") == []
