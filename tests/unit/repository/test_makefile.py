"""What the Makefile says before any program of ours can say it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.offline import ROOT


def test_an_environment_without_pip_is_told_in_one_sentence(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "requirements.txt").write_text("")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", ".venv"], cwd=tmp_path, check=True)
    # The tests are run by make too, which tells its children so.
    variables = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", ".venv/runtime"]
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    sentence, status = done.stderr.splitlines()
    assert sentence.startswith("The environment .venv has no pip")
    assert status.startswith("make: ***")
    assert not (tmp_path / ".venv" / "runtime").exists()
