"""The user's verbs stand without the sandbox and without what is for this project's own work."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.offline import ROOT

IMPORTED = """
import importlib, pkgutil, operations
names = [module.name for module in pkgutil.walk_packages(operations.__path__, "operations.")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""


def test_the_verbs_are_there_without_sandbox_and_development(tmp_path: Path) -> None:
    for folder in ("components", "operations"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run([sys.executable, "-c", IMPORTED], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 40
