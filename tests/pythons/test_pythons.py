"""What needs nothing built passes on each supported Python that a machine can have, in an environment of its own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.offline import ROOT

pytestmark = pytest.mark.long

# 3.14 runs in GitHub's matrix alone: no registry of packages has it.
VERSIONS = ["3.11", "3.12", "3.13"]


def find(version: str) -> str:
    """Return the path of a Python of this version; pyenv is told which of its own is meant."""
    try:
        done = subprocess.run(
            [f"python{version}", "-c", "import sys; print(sys.executable)"],
            env=os.environ | {"PYENV_VERSION": version},
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(f"there is no python{version}")
    return done.stdout.strip()


@pytest.mark.parametrize("version", VERSIONS)
def test_what_needs_nothing_built_passes(version: str, tmp_path: Path) -> None:
    python = find(version)
    project = tmp_path / "project"
    subprocess.run(["git", "clone", "--quiet", ROOT, project], check=True)
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in names.split("\0")[:-1]:
        if (ROOT / name).is_file():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, project / name)
    subprocess.run(["git", "add", "--all"], cwd=project, check=True)
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--seed", "--python", python, ".venv"], cwd=project, check=True)
    locks = ["-r", "requirements.txt", "-r", "requirements-dev.txt"]
    install = ["pip", "install", "--quiet", "--no-config", "--require-hashes", "--python", ".venv", *locks]
    subprocess.run([*uv, *install], cwd=project, check=True)
    done = subprocess.run(
        [".venv/bin/python", "-m", "pytest", "-q", "-m", "not built", "tests/unit"],
        cwd=project,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        check=False,
    )
    print(f"\nPython {version}: {done.stdout.splitlines()[-1]}")
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d{3,} passed", done.stdout)
