"""What a killed run of the tests left is ended by the next; what belongs to a run that goes on is not."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.leftovers import end_leftovers


@contextmanager
def run(root: Path, name: str, pid: int | None) -> Iterator["subprocess.Popen[bytes]"]:
    """A program that a run of the tests has started, whose process is `pid`; none where it has ended by itself."""
    folder = root / name
    folder.mkdir()
    if pid is not None:
        (folder / ".lock").write_text(str(pid))
    (folder / "redis-server").symlink_to("/bin/sleep")
    program = subprocess.Popen([folder / "redis-server", "60"])
    try:
        yield program
    finally:
        program.kill()
        program.wait()


def test_it_is_ended_where_its_run_is_over(tmp_path: Path) -> None:
    over = subprocess.Popen(["true"])
    over.wait()
    with (
        run(tmp_path, "pytest-1", os.getpid()) as ours,
        run(tmp_path, "pytest-2", over.pid) as killed,
        run(tmp_path, "pytest-3", None) as ended,
    ):
        assert sorted(end_leftovers(tmp_path)) == [
            f"ended what a killed run left in {tmp_path}/pytest-{number}: redis-server" for number in (2, 3)
        ]
        assert killed.wait(5) != 0
        assert ended.wait(5) != 0
        assert ours.poll() is None
        assert list(end_leftovers(tmp_path)) == []
