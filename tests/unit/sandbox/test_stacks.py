"""What a committed stack becomes on a sandbox."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import stacks
from sandbox.layout import Sandbox, ports_from
from sandbox.processes import SandboxError
from sandbox.stacks import on_sandbox, prepare

COMMITTED: dict[str, Any] = {
    "encryptionsalt": "v1:x",
    "secretsprovider": "awskms://alias/x",
    "config": {
        "mangakai-monitoring:cluster": {"name": "prod", "context": "theirs", "server": "https://theirs"},
        "mangakai-monitoring:storage": {"storageClass": "gp3"},
        "mangakai-monitoring:slackApiUrl": {"secure": "v1:y"},
        "mangakai-monitoring:sentryDsn": "plain",
    },
}


def test_the_cluster_is_the_sandbox_and_the_rest_stays() -> None:
    answer = on_sandbox(COMMITTED, {"cluster": {"context": "ours", "server": "https://ours"}}, {"sentryDsn": "s"})
    assert answer == {
        "config": {
            "mangakai-monitoring:cluster": {"name": "prod", "context": "ours", "server": "https://ours"},
            "mangakai-monitoring:storage": {"storageClass": "gp3"},
        }
    }


def test_an_overlay_may_add_a_key() -> None:
    answer = on_sandbox({}, {"charts": {"directory": "x"}}, {})
    assert answer == {"config": {"mangakai-monitoring:charts": {"directory": "x"}}}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Stand in for the CLI: note its arguments, and write what `stack init` writes."""
    noted: list[tuple[str, ...]] = []

    def pulumi(sandbox: Sandbox, stack: str, *arguments: str) -> None:
        noted.append(arguments)
        if arguments[:2] == ("stack", "init"):
            state = sandbox.state / ".pulumi" / "stacks" / stacks.PROJECT
            state.mkdir(parents=True)
            (state / f"{stack}.json").touch()
            with sandbox.stack_file(stack).open("a") as file:
                file.write("encryptionsalt: v1:ours\n")

    monkeypatch.setattr(stacks, "_pulumi", pulumi)
    return noted


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: mangakai-monitoring\n")
    (folder / "Pulumi.prod.yaml").write_text(yaml.safe_dump(COMMITTED))
    return folder


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "sandbox", ports_from(30000))


def test_a_second_time_nothing_is_done(sandbox: Sandbox, project: Path, calls: list[tuple[str, ...]]) -> None:
    committed = (project / "Pulumi.prod.yaml").read_text()
    prepare(sandbox, "prod", {"slackApiUrl": "one"}, project=project)
    assert calls == [
        ("stack", "init", "prod", "--no-select"),
        ("config", "set-all", "--secret", "slackApiUrl=one"),
    ]
    prepare(sandbox, "prod", {"slackApiUrl": "two"}, project=project)
    assert len(calls) == 2
    assert (project / "Pulumi.prod.yaml").read_text() == committed


@pytest.mark.usefixtures("calls")
def test_secrets_stay_and_only_their_owner_reads_them(sandbox: Sandbox, project: Path) -> None:
    prepare(sandbox, "prod", {"slackApiUrl": "one"}, project=project)
    assert prepare(sandbox, "prod", {"slackApiUrl": "two", "sentryDsn": "new"}, project=project) == {
        "slackApiUrl": "one",
        "sentryDsn": "new",
    }
    file = sandbox.secrets_file("prod")
    assert json.loads(file.read_text()) == {"slackApiUrl": "one", "sentryDsn": "new"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.usefixtures("calls")
def test_a_changed_stack_is_prepared_again_with_the_salt_it_had(sandbox: Sandbox, project: Path) -> None:
    prepare(sandbox, "prod", {}, project=project)
    changed = {"config": {"mangakai-monitoring:storage": {"storageClass": "gp2"}}}
    (project / "Pulumi.prod.yaml").write_text(yaml.safe_dump(changed))
    prepare(sandbox, "prod", {}, project=project)
    document = yaml.safe_load(sandbox.stack_file("prod").read_text())
    assert document["config"]["mangakai-monitoring:storage"] == {"storageClass": "gp2"}
    assert document["encryptionsalt"] == "v1:ours"


@pytest.mark.usefixtures("calls")
def test_settings_of_the_cluster_stand_beside_its_address(sandbox: Sandbox, project: Path) -> None:
    prepare(sandbox, "prod", {}, {"cluster": {"admissionWebhooks": False}}, project)
    document = yaml.safe_load(sandbox.stack_file("prod").read_text())
    assert document["config"]["mangakai-monitoring:cluster"] == {
        "name": "prod",
        "admissionWebhooks": False,
        "context": "mangakai-sandbox",
        "server": "https://127.0.0.1:30000",
    }


def test_an_unknown_stack_is_named_with_those_there_are(sandbox: Sandbox, project: Path) -> None:
    with pytest.raises(SandboxError, match=r"no stack 'qa'.*the stacks are prod$"):
        prepare(sandbox, "qa", {}, project=project)
