"""The workflows, by actionlint: their syntax, expressions, contexts, inputs of actions, and shell scripts."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.build import ensure
from sandbox.program_pins import ACTIONLINT
from tests.offline import ROOT


def actionlint(root: Path) -> str:
    """Return what actionlint says of the workflows in `root`."""
    ensure([ACTIONLINT])
    shellcheck = Path(sys.executable).parent / "shellcheck"
    files = sorted((root / ".github" / "workflows").glob("*.yml"))
    command = [str(ACTIONLINT.path), "-no-color", "-oneline", "-shellcheck", str(shellcheck), "-pyflakes", ""]
    done = subprocess.run(
        [*command, *map(str, files)], cwd=root, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    print(f"actionlint {ACTIONLINT.version}, {len(files)} workflows: {done.stdout or 'nothing'}")
    return done.stdout


def copy(root: Path) -> Path:
    """Return a copy of the workflows that has tags for commits: by these actionlint knows the inputs of actions."""
    shutil.copytree(ROOT / ".github", root / ".github")
    # By this it knows where the repository begins, and finds the actions in it.
    (root / ".git").mkdir()
    for file in (root / ".github").rglob("*.yml"):
        file.write_text(re.sub(r"@[0-9a-f]{40} # (v\d+)\S+", r"@\1", file.read_text()))
    return root / ".github" / "workflows"


def test_it_finds_nothing(tmp_path: Path) -> None:
    assert actionlint(ROOT) == ""
    copy(tmp_path)
    assert actionlint(tmp_path) == ""


@pytest.mark.parametrize(
    ("file", "text", "instead", "said"),
    [
        ("deploy.yml", "needs: staging", "needs: stagings", 'needs job "stagings" which does not exist'),
        ("drift.yml", "matrix.stack", "matrix.stak", 'property "stak" is not defined'),
        ("drift.yml", "          stack:", "          stak:", 'input "stak" is not defined in action "Stack"'),
        ("drift.yml", "17 19 \\* \\* \\*", "17 19 * *", "invalid CRON format"),
        ("pull-request.yml", "pull-requests: write", "pull-request: write", "unknown permission scope"),
        ("test.yml", "restore-keys:", "restore:", 'input "restore" is not defined in action "actions/cache'),
        ("deploy.yml", r'"\$GITHUB_STEP_SUMMARY"', "$GITHUB_STEP_SUMMARY", "SC2086"),
    ],
)
def test_it_finds_what_is_broken(tmp_path: Path, file: str, text: str, instead: str, said: str) -> None:
    workflow = copy(tmp_path) / file
    broken = re.sub(text, lambda _: instead, workflow.read_text(), count=1)
    assert broken != workflow.read_text()
    workflow.write_text(broken)
    assert said in actionlint(tmp_path)
