"""What the Makefile says before any program of ours can say it."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.offline import ROOT


def test_an_environment_without_pip_is_told_in_one_sentence(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "requirements.txt").write_text("")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", ".venv"], cwd=tmp_path, check=True)
    done = subprocess.run(["make", ".venv/runtime"], cwd=tmp_path, capture_output=True, text=True, check=False)
    sentence, status = done.stderr.splitlines()
    assert sentence.startswith("The environment .venv has no pip")
    assert status.startswith("make: ***")
    assert not (tmp_path / ".venv" / "runtime").exists()
