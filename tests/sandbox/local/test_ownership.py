"""A second stack on the cluster of the first: refused in preview and update, and nothing of the first is touched."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator

import pytest

from components.foundation.ownership import cluster_wide
from components.settings import read_file
from tests.sandbox.conftest import Api, Project

SECOND = "copied"
METADATA = "components/foundation/metadata.py"
NAMESPACES = ("monitoring", "monitoring-agents")


@pytest.fixture(scope="module", autouse=True)
def copied(project: Project) -> Iterator[None]:
    """A further stack is a further file, copied from the first's with `cluster.*` as it was."""
    file = project.folder / f"Pulumi.{SECOND}.yaml"
    file.write_text((project.folder / "Pulumi.local.yaml").read_text())
    project.prepare(SECOND)
    yield
    project.destroy(SECOND)
    file.unlink()
    project.up("local")  # what a test left that failed


def owners(api: Api) -> set[str | None]:
    """Return the owners that the namespaces name."""
    found = [api.get(f"/api/v1/namespaces/{name}")["metadata"].get("annotations") or {} for name in NAMESPACES]
    return {annotations.get("mangakai.com/owner") for annotations in found}


def refusal(project: Project, stack: str, *arguments: str) -> str:
    """Return what the engine says that refuses to go on."""
    done = project.pulumi(stack, *arguments)
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stdout
    return done.stdout


def take_over(project: Project, said: str) -> None:
    """Run the command that a refusal gives."""
    for command in set(re.findall(r"kubectl --context .*? mangakai.com/owner=\S+", said)):
        environment = os.environ | project.environment(SECOND)
        subprocess.run(shlex.split(command), env=environment, capture_output=True, check=True)


@pytest.mark.parametrize("arguments", [("preview",), ("up", "--yes", "--skip-preview")])
def test_it_is_refused_before_anything_is_registered(project: Project, api: Api, arguments: tuple[str, ...]) -> None:
    said = refusal(project, SECOND, *arguments)
    assert "(nothing was registered):" in said
    assert "already there, and of stack mangakai-monitoring/local; this is stack mangakai-monitoring/copied" in said
    claims = api.claims()
    project.destroy(SECOND)
    assert api.claims() == claims
    assert owners(api) == {"mangakai-monitoring/local"}


def test_a_stack_of_an_earlier_version_is_its_own_and_no_other_ones(project: Project, api: Api) -> None:
    text = (project.folder / METADATA).read_text()
    assert "{OWNER: owner()}" in text
    (project.folder / METADATA).write_text(text.replace("{OWNER: owner()}", "{}"))
    try:
        assert project.up("local")["updated"] == len(cluster_wide(read_file(project.folder / "Pulumi.local.yaml")))
    finally:
        (project.folder / METADATA).write_text(text)
    assert owners(api) == {None}
    for arguments in (("preview",), ("up", "--yes", "--skip-preview")):
        said = refusal(project, SECOND, *arguments)
        assert "made by an earlier version of this program, and not in this stack's state" in said
        assert not re.search(r"core/v1:Secret .* creat", said), "something else was made"
    assert {op for op, _, _ in project.previewed("local")} == {"update"}
    assert set(project.up("local")) == {"updated", "unchanged"}
    assert owners(api) == {"mangakai-monitoring/local"}


def test_it_is_taken_over_on_purpose_by_the_command_of_the_error(project: Project, api: Api) -> None:
    take_over(project, refusal(project, SECOND, "preview"))
    assert owners(api) == {"mangakai-monitoring/copied"}
    assert {op for op, _, _ in project.previewed(SECOND)} == {"create"}
    said = refusal(project, "local", "preview")
    assert "already there, and of stack mangakai-monitoring/copied; this is stack mangakai-monitoring/local" in said
    take_over(project, said)
    assert set(project.up("local")) == {"unchanged"}
