"""How the program of another tree is run, whatever its runner is called there."""

from pathlib import Path

import pytest

from operations.preview.base import _start


@pytest.mark.parametrize("runner", ["offline_run.py", "program.py"])
def test_the_runner_of_the_tree_is_taken(runner: str, tmp_path: Path) -> None:
    (tmp_path / "operations").mkdir()
    (tmp_path / "operations" / runner).write_text("import sys, os\nprint(sys.argv[1], os.environ['PYTHONPATH'])\n")
    output, errors = _start(tmp_path, "prod").communicate(timeout=30)
    assert output == f"prod {tmp_path}\n", errors
