"""The workflow of a pull request, whole: one comment on both stacks, and what the branch's code does not get."""

import os
from collections.abc import Iterator

import pytest
import yaml

from components.settings import PROJECT
from sandbox import stand_ins
from sandbox.build import ensure
from sandbox.program_pins import ACT, HELM, Group, of_groups
from tests.github import COMMENTS, TOKEN, GitHub
from tests.sandbox.conftest import copy_project
from tests.workflows.actions import Actions

pytestmark = pytest.mark.long

STACKS = ["staging", "prod"]
PASSPHRASE = "canary-passphrase-51c8"
JOBS = {"tests", "preview-1", "preview-2"}
# What a branch might add to the program that previews it.
SPY = """
import os, pathlib
pathlib.Path(os.environ["STAND_INS"], "seen-" + os.environ["STACK"]).write_text(repr(dict(os.environ)))
"""


@pytest.fixture(scope="module")
def actions(github: GitHub, tmp_path_factory: pytest.TempPathFactory) -> Actions:
    ensure([*of_groups(Group.CLUSTER), ACT, HELM])
    directory = tmp_path_factory.mktemp("actions")
    copy_project(directory / "project")
    stand_ins.pack(directory / "charts")
    of_runner = {"PATH": os.environ["PATH"]}
    found = Actions(
        directory / "project",
        directory / "stand-ins",
        directory / "charts",
        github,
        of_runner,
        "file:///gone",
        PASSPHRASE,
    )
    (found.stand_ins / "bin" / "helm").symlink_to(HELM.path)
    found.commit()
    return found


@pytest.fixture(autouse=True)
def as_main(actions: Actions) -> Iterator[None]:
    """Each test begins and ends with what is committed."""
    yield
    actions.git("checkout", "--quiet", "--", ".")


def change(actions: Actions, file: str, text: str, instead: str) -> None:
    """Change a file as a commit of the branch does."""
    path = actions.folder / file
    whole = path.read_text()
    assert text in whole
    path.write_text(whole.replace(text, instead, 1))


def configure(actions: Actions, key: str, **values: object) -> None:
    """Change a setting of both stacks."""
    for stack in STACKS:
        path = actions.folder / f"Pulumi.{stack}.yaml"
        document = yaml.safe_load(path.read_text())
        setting = document["config"].setdefault(f"{PROJECT}:{key}", {})
        setting.update(values)
        path.write_text(yaml.safe_dump(document))


def test_it_has_one_comment_on_both_stacks(actions: Actions, github: GitHub) -> None:
    change(actions, "rules/application.yml", "> 0.05 # threshold", "> 0.06 # threshold")
    configure(actions, "logs", retentionDays=3)
    run = actions.run("pull_request")
    assert run.succeeded, "that a Job is replaced is for the reviewer to judge"
    assert set(run.jobs()) == {*JOBS, "comment"}
    (comment,) = github.items[COMMENTS]
    for stack in STACKS:
        head = f"### {stack}\n\n```diff\nStack {stack}, against origin/main: "
        assert f"{head}1 changed, 1 replaced.\n  Replaced: Job monitoring/log-index-" in comment["body"]
    assert comment["body"].count("> 0.06 # threshold") == 2

    # The next push of the branch breaks it: the same comment says how.
    configure(actions, "prometheus", replica=2)
    assert not actions.run("pull_request").succeeded
    (comment,) = github.items[COMMENTS]
    assert comment["body"].count("prometheus.replica: unknown key") >= 2
    assert "0.06" not in comment["body"]


def test_its_code_gets_no_secret_no_role_and_no_token(actions: Actions) -> None:
    change(actions, "operations/preview/__main__.py", "import argparse\n", f"import argparse\n{SPY}")
    change(actions, "operations/github_report.py", "import argparse\n", "raise SystemExit('the branch reports')\n")
    run = actions.run("pull_request")
    assert run.succeeded, "main's program reports"
    assert actions.roles() == []
    for stack in STACKS:
        seen = (actions.stand_ins / f"seen-{stack}").read_text()
        assert f"'STACK': '{stack}'" in seen
        assert [word for word in (PASSPHRASE, TOKEN, "the-role-that", "file:///gone") if word in seen] == []


def test_of_a_fork_too_and_without_a_comment(actions: Actions, github: GitHub) -> None:
    before = [dict(comment) for comment in github.items[COMMENTS]]
    run = actions.run("pull_request", owner="somebody")
    assert (run.succeeded, set(run.jobs()), actions.roles()) == (True, JOBS, [])
    assert github.items[COMMENTS] == before


def test_an_archive_whose_digest_is_not_committed_is_refused(actions: Actions) -> None:
    change(actions, "components/foundation/charts.lock.json", '"grafana-', '"another-')
    run = actions.run("pull_request")
    assert not run.succeeded
    assert "charts.lock.json has no digest of it. Run make charts and commit charts.lock.json" in run.said
