"""What a run of the tests that was killed has left running."""

import getpass
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from operations.liveness import is_alive
from sandbox.processes import below, stop_below


def end_leftovers(root: Path | None = None) -> Iterator[str]:
    """End the programs of runs that are over, and return a line for each such run.

    pytest makes a folder for each run, with the id of its process in `.lock`, which goes with a run that ends by
    itself. Programs of the tests are started by paths in that folder.

    Args:
        root: where pytest makes those folders; where it does so by default if None.

    Raises:
        SandboxError: a program stays, or belongs to another user.
    """
    if root is None:
        temporary = os.environ.get("PYTEST_DEBUG_TEMPROOT") or tempfile.gettempdir()
        root = Path(temporary).resolve() / f"pytest-of-{getpass.getuser()}"
    for folder in root.glob("pytest-[0-9]*"):
        lock = folder / ".lock"
        if lock.exists() and is_alive(int(lock.read_text() or os.getpid())):
            continue
        if left := below(folder):
            stop_below(folder)
            yield f"ended what a killed run left in {folder}: {', '.join(left)}"
