"""The workflows: pinned, with the least rights, one update of a stack at a time, and verbs that are there."""

import re
from typing import Any

import pytest
import yaml

from components.settings import read_file
from sandbox.program_pins import PULUMI
from tests.offline import ROOT
from tests.unit.repository import workflows

FILES = workflows.read()
STACKS = sorted({file.name.split(".")[1] for file in ROOT.glob("Pulumi.*.yaml")} - {"local", "kind"})
DEPLOY = ".github/workflows/deploy.yml"
PULL_REQUEST = ".github/workflows/pull-request.yml"
DRIFT = ".github/workflows/drift.yml"
TEST = ".github/workflows/test.yml"
STACK = ".github/actions/stack/action.yml"
CHARTS = ".github/actions/charts/action.yml"


def test_nothing_is_wrong() -> None:
    assert {DEPLOY, PULL_REQUEST, DRIFT, TEST, STACK, CHARTS} == FILES.keys()
    assert workflows.problems(FILES) == []


@pytest.mark.parametrize(
    ("file", "text", "instead", "said"),
    [
        (CHARTS, r"a309ff8b\w+ # v6.2.0", "v6", "not pinned by a commit"),
        (TEST, r" # v6.0.2", "", "not pinned by a commit"),
        (DRIFT, r"permissions:\n  contents: read", "permissions: write-all", "not those of reading alone"),
        (TEST, r"    permissions:\n      contents: read\n", "", "no permissions of its own"),
        (DEPLOY, r"    timeout-minutes: 90\n", "", "no timeout-minutes"),
        (DRIFT, r"make --silent drift", "make --silent drifts", "there is no verb drifts"),
        (DEPLOY, r"operations\.preview", "operations.previews", "there is no program operations.previews"),
        (DRIFT, r'STACK="\$STACK"', 'STACK="${{ matrix.stack }}"', "an expression in a script"),
        (
            PULL_REQUEST,
            r"on: pull_request|pull_request:?\n",
            "pull_request_target\n",
            "gives a fork's branch our rights",
        ),
        (PULL_REQUEST, r"STACK: .*\n", "KEY: ${{ secrets.KEY }}\n", "secrets for a pull request's own code"),
        (PULL_REQUEST, r"STACK: .*\n", "ROLE: ${{ vars.ROLE }}\n", "vars. for a pull request's own code"),
        (
            PULL_REQUEST,
            r"    strategy:",
            "    environment: prod\n    strategy:",
            "'environment' for a pull request's own",
        ),
        (PULL_REQUEST, r"test.yml", "test.yml\n    secrets: inherit", "secrets for a pull request's own code"),
        (
            PULL_REQUEST,
            r"actions/charts",
            "actions/stack\n        with: {stack: '${{ matrix.stack }}'}",
            "role-to-assume for a pull request's own code",
        ),
        (PULL_REQUEST, r" +ref: .*\n", "", "a token that writes for a pull request's own code"),
        (
            TEST,
            r"make check",
            "make check TOKEN=$TOKEN\n        env: {TOKEN: '${{ secrets.TOKEN }}'}",
            "secrets for a pull",
        ),
        (TEST, r"contents: read\n    steps", "id-token: write\n    steps", "id-token for a pull request's own code"),
        (CHARTS, r"path: .charts", "path: ${{ vars.CHARTS }}", "vars. for a pull request's own code"),
        (DEPLOY, r"    environment: preview\n", "", "without an environment"),
        (DRIFT, r"    environment: preview\n", "", "without an environment"),
        (DEPLOY, r"group: stack-prod", "group: stack", "is not its stack's"),
        (DRIFT, r"group: drift-\$\{\{ matrix.stack \}\}", "group: drift", "is not its stack's"),
        (DRIFT, r"group: drift-", "group: stack-", "those of updates, and of nothing else"),
        (DEPLOY, r"group: stack-prod", "group: stack-prod\n      cancel-in-progress: true", "may be cancelled"),
    ],
)
def test_what_is_broken_is_found(file: str, text: str, instead: str, said: str) -> None:
    broken = re.sub(text, lambda _: instead, FILES[file], count=1)
    assert broken != FILES[file]
    found = workflows.problems({**FILES, file: broken})
    assert len(found) >= 1
    assert said in found[0]


def test_an_action_is_pinned_to_the_same_commit_everywhere() -> None:
    pins = {pin for text in FILES.values() for pin in re.findall(r"uses: ([^@\s]+@.*)", text)}
    assert len(pins) == len({pin.split("@")[0] for pin in pins})


def job(file: str, name: str) -> dict[str, Any]:
    return next(job for where, title, job in workflows.jobs(FILES) if (where, title) == (file, name))


def test_every_stack_is_previewed_and_watched() -> None:
    for file, name in ((PULL_REQUEST, "preview"), (DRIFT, "drift")):
        assert sorted(job(file, name)["strategy"]["matrix"]["stack"]) == STACKS
    (comment,) = [step["run"] for step in job(PULL_REQUEST, "comment")["steps"] if "run" in step]
    assert sorted(re.findall(r"previews/(\w+)\.txt", comment)) == STACKS


def test_production_is_approved_and_previewed_again_just_before() -> None:
    production = job(DEPLOY, "prod")
    assert production["environment"] == "prod"
    assert production["needs"] == "preview-prod"
    assert job(DEPLOY, "preview-prod")["needs"] == "staging"
    preview, update = [step["run"] for step in production["steps"] if "run" in step]
    assert "operations.preview" in preview
    assert update.startswith("pulumi up --yes --skip-preview")


def test_every_archive_has_a_digest_where_a_stack_is_touched() -> None:
    assert FILES[CHARTS].count("run: make charts LOCKED=1\n") == 1
    for file in (STACK, PULL_REQUEST):
        assert "uses: ./.github/actions/charts\n" in FILES[file]


def test_ci_elsewhere_runs_the_same_verbs() -> None:
    here = re.findall(r"^make ([a-z-]+)$", (ROOT / ".ci" / "run").read_text(), flags=re.MULTILINE)
    assert (
        re.findall(r"- run: (?:sudo env .+ )?make ([a-z-]+)$", FILES[TEST], flags=re.MULTILINE)
        == here
        == ["check", "test"]
    )


def test_pulumi_is_the_one_that_is_tested() -> None:
    assert f'pulumi-version: "{PULUMI.version}"' in FILES[STACK]


@pytest.mark.parametrize("stack", STACKS)
def test_a_cluster_is_called_as_the_workflows_expect(stack: str) -> None:
    cluster = read_file(ROOT / f"Pulumi.{stack}.yaml").cluster
    assert cluster.name == cluster.context == f"mangakai-{stack}"
    assert f"aws-region: {cluster.region}" in FILES[STACK]


def test_the_page_names_what_has_to_be_set_and_nothing_else() -> None:
    used = {name for text in FILES.values() for name in re.findall(r"(?:vars|secrets)\.(\w+)", text)}
    page = (ROOT / "docs" / "ci.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE)) == used
    environments = {str(job["environment"]) for _, _, job in workflows.jobs(FILES) if "environment" in job}
    assert all(f"`{name}`" in page for name in environments)
    # A role that trusts a branch or a pull request is taken by whatever code lies there.
    assert set(re.findall(r"repo:OWNER/NAME:([\w:/-]+)", page)) == {f"environment:{name}" for name in environments}


def test_the_workflows_are_yaml_that_says_each_thing_once() -> None:
    class Once(yaml.SafeLoader):
        pass

    def mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        assert len(keys) == len(set(keys)), keys
        return loader.construct_mapping(node, deep=True)

    Once.add_constructor("tag:yaml.org,2002:map", mapping)
    for text in FILES.values():
        yaml.load(text, Once)  # noqa: S506  it is a safe loader
