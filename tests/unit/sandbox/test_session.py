"""Which stacks count as up on a sandbox, and what the verbs about a stack make of that."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox import __main__ as command
from sandbox.layout import Sandbox, ports_from
from sandbox.session import down, is_up
from tests.offline import ROOT

ABOUT_A_STACK = ("troubleshoot", "drift", "fire-drill", "backup", "restore", "repair")


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    sandbox = Sandbox(tmp_path / "sandbox", ports_from(30000))
    monkeypatch.setattr(command, "Sandbox", lambda: sandbox)
    monkeypatch.setattr("sandbox.cluster.is_running", lambda one: one.kubeconfig.exists())
    return sandbox


def bring_up(sandbox: Sandbox, stack: str, resources: int) -> None:
    """Write what the engine leaves of a stack, and of a sandbox that has a cluster."""
    state = sandbox.state / ".pulumi" / "stacks" / "mangakai-monitoring" / f"{stack}.json"
    state.parent.mkdir(parents=True, exist_ok=True)
    state.write_text(json.dumps({"checkpoint": {"latest": {"resources": [{"urn": "urn"}] * resources}}}))
    sandbox.kubeconfig.touch()
    sandbox.stack_file(stack).parent.mkdir(exist_ok=True)
    sandbox.stack_file(stack).touch()


def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, str]:
    monkeypatch.setattr(sys, "argv", ["make", "env", *arguments])
    assert command.main() == 0
    shown = capsys.readouterr()
    return shown.out, shown.err


def test_a_stack_without_resources_is_not_up(sandbox: Sandbox) -> None:
    assert not is_up(sandbox, "local")
    bring_up(sandbox, "local", 0)
    assert not is_up(sandbox, "local")
    bring_up(sandbox, "local", 1)
    assert is_up(sandbox, "local")
    assert not is_up(sandbox, "prod")
    sandbox.kubeconfig.unlink()
    assert not is_up(sandbox, "local"), "its cluster is gone, as after a restart of the machine"


def test_the_environment_of_a_stack_that_is_up(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(monkeypatch, capsys, "--stack", "local", "--if-up") == ("", "")
    bring_up(sandbox, "local", 1)
    exports, told = said(monkeypatch, capsys, "--stack", "local", "--if-up")
    assert f"export KUBECONFIG={sandbox.kubeconfig}\n" in exports
    assert told == "Stack local is on the sandbox: acting there, not on the cluster of your kubeconfig.\n"
    assert said(monkeypatch, capsys, "--stack", "prod", "--if-up") == ("", "")


@pytest.mark.parametrize("verb", ABOUT_A_STACK)
def test_a_verb_about_a_stack_asks_for_it_where_there_is_a_sandbox(verb: str, tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "runtime").touch()
    (tmp_path / "requirements.txt").touch()

    def line() -> str:
        command = ["make", "--no-print-directory", "-n", "-o", ".venv/runtime", verb, "STACK=prod"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.strip()

    alone = line()
    assert alone.startswith(".venv/bin/python -m operations.")
    (tmp_path / ".sandbox").mkdir()
    asks = "sandbox=$(.venv/bin/python -m sandbox env --stack prod --if-up)"
    assert line() == f'{asks} && eval "$sandbox" && {alone}'


@pytest.mark.parametrize("verb", ABOUT_A_STACK)
def test_a_verb_does_nothing_where_the_sandbox_cannot_be_asked(verb: str, tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
    (tmp_path / ".sandbox").mkdir()
    (tmp_path / "requirements.txt").touch()
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    (tmp_path / ".venv" / "runtime").touch()
    python.write_text('#!/bin/sh\necho "$@" >> asked\n[ "$2" != sandbox ]\n')
    python.chmod(0o755)
    command = ["make", "-o", ".venv/runtime", verb, "STACK=prod", "PART=grafana", "OVERWRITE=1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode != 0
    assert (tmp_path / "asked").read_text() == "-m sandbox env --stack prod --if-up\n"


def test_the_sandbox_of_another_user_is_not_taken_for_none(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bring_up(sandbox, "local", 1)
    monkeypatch.setattr("os.access", lambda path, _: path != sandbox.kubeconfig)
    monkeypatch.setattr(sys, "argv", ["make", "env", "--stack", "local", "--if-up"])
    assert command.main() == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "another user's: run the same as that one" in shown.err


@pytest.mark.parametrize(
    ("is_live", "done"),
    [
        (True, ["removed"]),
        # Helm's records can want a repair without anything in the state that tells.
        (False, ["repair", "destroy", "removed"]),
    ],
)
def test_the_stacks_of_a_live_cluster_go_with_it(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, is_live: bool, done: list[str]
) -> None:
    bring_up(sandbox, "local", 1)
    happened: list[str] = []
    monkeypatch.setattr("sandbox.clusters.is_live", lambda _: is_live)
    monkeypatch.setattr("sandbox.clusters.is_running", lambda _: True)
    monkeypatch.setattr("sandbox.clusters.remove", lambda _: happened.append("removed"))

    def repair(stack: str, variables: dict[str, str], _: Path, end_provider: Callable[[], None]) -> list[str]:
        assert (stack, variables["PULUMI_STACK"]) == ("local", "local")
        end_provider()
        happened.append("repair")
        return []

    def pulumi(variables: dict[str, str], *arguments: str) -> int:
        assert variables["PULUMI_STACK"] == "local"
        happened.append(arguments[0])
        return 0

    monkeypatch.setattr("sandbox.session.repair", repair)
    monkeypatch.setattr("sandbox.session.processes.stop", lambda *_: happened.append("the provider of a preview"))
    monkeypatch.setattr("sandbox.session._pulumi", pulumi)
    assert down(sandbox) == 0
    assert happened == done
