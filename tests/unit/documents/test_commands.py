"""The commands of the documents work in bash and in zsh, with BSD's tools as with GNU's, and where there is no /proc.

What speaks to a cluster or a cloud is a stand-in that takes everything; what shell and tools make of a command is real.
"""

import io
import re
import shlex
import shutil
import string
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from components.foundation.chart_pins import archive
from tests.offline import ROOT
from tests.unit.documents.shell_blocks import Block, blocks

BLOCKS = blocks()
CLUSTER_AND_CLOUD = {
    "amtool", "apt-get", "aws", "curl", "helm", "kind", "kubectl", "make", "pip", "pulumi", "restic",
    ".venv/bin/python",
}  # fmt: skip
TOOLS = {"cp", "git", "grep", "gzip", "openssl", "tail"}
# Read as what is typed: zsh takes a comment for arguments there, unless told otherwise, as the README does.
SHELLS = {"bash": ["bash", "-s"], "zsh": ["zsh", "-f", "-i", "-s", "+m", "+o", "prompt_sp", "+o", "prompt_cr"]}
FIRST = {"bash": "", "zsh": "setopt interactive_comments\n"}
# Letters of options that GNU and BSD both have, of the tools that the documents use.
PORTABLE = {"cp": "", "grep": "AEi", "tail": "", "tar": "xOzf", "du": "xhd", "ls": "l", "wget": "qO"}


def program(name: str) -> str:
    """Return where a program is."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder in which the blocks run: with a chart's archive, and with stand-ins first on its PATH."""
    folder, programs = tmp_path / "project", tmp_path / "bin"
    for path in (folder / ".venv/bin", folder / ".charts", programs):
        path.mkdir(parents=True)
    for name in ("Pulumi.prod.yaml", "Pulumi.kind.yaml", "rules", "scrape", "components"):
        (folder / name).symlink_to(ROOT / name)
    author = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for command in (["init", "-q"], ["add", "."], [*author, "commit", "-q", "-m", "a"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    with tarfile.open(folder / archive(".charts", "jaeger-operator"), "w:gz") as chart:
        for name, text in {
            "Chart.yaml": "name: jaeger-operator",
            "crds/crd.yaml": "kind: CustomResourceDefinition",
        }.items():
            member = tarfile.TarInfo(f"jaeger-operator/{name}")
            member.size = len(text)
            chart.addfile(member, io.BytesIO(text.encode()))
    for name in CLUSTER_AND_CLOUD:
        path = (folder if "/" in name else programs) / name
        path.write_text(f'#!/bin/sh\necho {shlex.quote(name)} "$@" >> "$TAKEN"\n{program("cat")} >> "$TAKEN"\n')
        path.chmod(0o755)
    for name in TOOLS:
        (programs / name).symlink_to(program(name))
    return folder


def run(shell: str, project: Path, tar: str, block: Block) -> tuple[str, str]:
    """Return what the programs of cluster and cloud were given, and the complaints of shell and tools."""
    programs, taken = project.parent / "bin", project.parent / "taken"
    taken.write_text("")
    (programs / "tar").unlink(missing_ok=True)
    (programs / "tar").symlink_to(program(tar))
    own = {"PATH": str(programs), "HOME": str(project), "TAKEN": str(taken), "PS1": "", "PS2": "", "EDITOR": "true"}
    command, *options = SHELLS[shell]
    script = f"{FIRST[shell]}{{\n{block.commands}wait\n}} < /dev/null > /dev/null\n"
    done = subprocess.run(
        [program(command), *options],
        input=script,
        cwd=project,
        env=own,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    # git tells so what it has checked out.
    return taken.read_text(), re.sub(r"Updated \d+ path.*", "", done.stderr).strip()


@pytest.mark.parametrize("shell", SHELLS)
def test_every_block_is_taken_by_the_shell_and_its_tools(shell: str, project: Path) -> None:
    said = {block.where: run(shell, project, "bsdtar", block)[1] for block in BLOCKS}
    assert len(said) > 80
    assert {where: text for where, text in said.items() if text} == {}
    print(f"\n{len(said)} blocks in {shell}")


@pytest.mark.parametrize(
    ("commands", "complaint"),
    [
        ("pulumi stack init prod --secrets-provider awskms://alias/pulumi?region=a\n", "no matches found"),
        ("tar xOzf .charts/jaeger-operator-2.57.0.tgz --wildcards '*/crds/*' | kubectl apply -f -\n", "--wildcards"),
        ("pulumy up\n", "command not found"),
        ("if true; do make up\n", "parse error"),
    ],
)
def test_what_is_not_taken_is_told(commands: str, complaint: str, project: Path) -> None:
    assert complaint in run("zsh", project, "bsdtar", Block("here", commands))[1]


def test_zsh_needs_what_the_readme_says_for_comments(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = Block("here", "make up   # the whole system\n")
    assert run("zsh", project, "bsdtar", block)[0].strip() == "make up"
    monkeypatch.setitem(FIRST, "zsh", "")
    assert run("zsh", project, "bsdtar", block)[0].strip() == "make up # the whole system"
    assert "`setopt interactive_comments`" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("tar", ["bsdtar", "tar"])
def test_the_crd_of_a_chart_comes_out_of_either_tar(tar: str, project: Path) -> None:
    (block,) = (block for block in BLOCKS if block.commands.startswith("tar "))
    taken, said = run("bash", project, tar, block)
    assert said == ""
    assert taken.splitlines()[1:] == ["kind: CustomResourceDefinition"]


def test_no_option_is_gnus_alone() -> None:
    found = []
    for block in BLOCKS:
        for tool, options in re.findall(rf"(?<![\w/-])({'|'.join(PORTABLE)})((?: -[^\s']+)+)", block.commands):
            letters = [
                option
                for option in options.split()
                if option.startswith("--") or set(option[1:]) - {*PORTABLE[tool], *string.digits, "-"}
            ]
            found += [f"{block.where}: {tool} {option}" for option in letters]
    assert found == []


def test_what_needs_no_cluster_runs_without_proc(tmp_path: Path) -> None:
    (block,) = (block for block in BLOCKS if block.commands == "make render STACK=prod\n")
    project = tmp_path / "project"
    project.mkdir()
    for name in subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split():
        top = name.partition("/")[0]
        if not (project / top).exists():
            (project / top).symlink_to(ROOT / top)
    (project / ".venv").symlink_to(sys.prefix)
    namespace = [program("unshare"), "--user", "--map-root-user", "--mount", "--kill-child", "--fork"]
    hide = 'mount -t tmpfs none /proc && test ! -e /proc/self && exec "$@"'
    hidden = [*namespace, "sh", "-c", hide, "sh"]
    if subprocess.run([*hidden, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no namespace can be made here in which /proc is hidden")
    command = [*hidden, program("zsh"), "-c", block.commands]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert (project / "build/prod/prometheus.yml").exists()


def test_no_command_deletes_the_committed_stack_file() -> None:
    commands = [line for block in BLOCKS for line in block.commands.splitlines() if line.startswith("pulumi stack rm")]
    assert len(commands) >= 2
    assert [line for line in commands if "--preserve-config" not in line] == []
