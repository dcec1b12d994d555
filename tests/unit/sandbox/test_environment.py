"""The environment of a sandbox's shell: everything of its own, nothing of the user's."""

import os
import subprocess
from pathlib import Path

import pytest

from sandbox import environment as module
from sandbox.environment import environment, exports, install
from sandbox.layout import Sandbox, ports_from
from sandbox.program_pins import Program


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "a sandbox", ports_from(30000))


def test_every_path_lies_in_the_sandbox(sandbox: Sandbox) -> None:
    variables = environment(sandbox, "prod")
    for name in ("KUBECONFIG", "PULUMI_HOME", "PULUMI_OPTION_CONFIG_FILE"):
        assert Path(variables[name]).is_relative_to(sandbox.directory), name
    assert variables["PULUMI_BACKEND_URL"] == f"file://{sandbox.directory}/state"
    assert variables["PULUMI_STACK"] == "prod"


def test_path_starts_with_the_sandbox_once(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("PATH", environment(sandbox, "local")["PATH"])
    assert environment(sandbox, "local")["PATH"] == f"{sandbox.bin}:/usr/bin:/bin"


@pytest.mark.parametrize(
    ("before", "after"),
    [("", "127.0.0.1,localhost"), ("corp", "127.0.0.1,localhost,corp"), ("127.0.0.1,localhost,a",) * 2],
)
def test_no_proxy_stands_before_the_api_server(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, before: str, after: str
) -> None:
    monkeypatch.setenv("NO_PROXY", before)
    assert environment(sandbox, "local")["NO_PROXY"] == after


def test_a_shell_evaluates_the_exports_as_they_are(sandbox: Sandbox) -> None:
    variables = environment(sandbox, "local") | {"ODD": 'it\'s $HOME `x` "y"'}
    script = exports(variables) + "env -0"
    answer = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, env={"PATH": os.defpath})
    seen = dict(line.split("=", 1) for line in answer.stdout.split("\0") if line)
    assert variables.items() <= seen.items()


def test_two_sandboxes_share_no_port() -> None:
    first, second = ports_from(30000), ports_from(30010)
    assert not set(first) & set(second)


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Give every program of the cache a file, and hide an installed Pulumi."""
    monkeypatch.setenv("MANGAKAI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "find_pulumi", lambda: None)
    programs = {program.name: program.path for program in module.__dict__.values() if isinstance(program, Program)}
    for name, path in programs.items():
        path.parent.mkdir(parents=True)
        path.write_text(f"{name} itself\n")
    return programs


def test_installing_again_over_an_older_layout_leaves_the_cache_alone(sandbox: Sandbox, built: dict[str, Path]) -> None:
    plugin = sandbox.pulumi_home / "plugins" / "resource-kubernetes-v4.25.0" / "pulumi-resource-kubernetes"
    plugin.parent.mkdir(parents=True)
    plugin.symlink_to(built["pulumi-resource-kubernetes"])
    for _ in range(2):
        install(sandbox)
    assert plugin.read_text().startswith("#!/bin/sh")
    for name, path in built.items():
        assert path.read_text() == f"{name} itself\n"


def test_a_launcher_runs_the_built_provider_with_temporary_files_of_the_sandbox(
    sandbox: Sandbox, built: dict[str, Path]
) -> None:
    provider = built["pulumi-resource-kubernetes"]
    provider.write_text('#!/bin/sh\necho "$TMPDIR $*"\n')
    provider.chmod(0o755)
    install(sandbox)
    plugin = sandbox.pulumi_home / "plugins" / "resource-kubernetes-v4.25.0" / "pulumi-resource-kubernetes"
    answer = subprocess.run([plugin, "127.0.0.1:1", "two words"], capture_output=True, text=True, check=True)
    assert answer.stdout == f"{sandbox.temporary} 127.0.0.1:1 two words\n"
