"""What is saved by restic: what each such part has in common."""

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Staged:
    """A folder to be saved, and the time of the newest data in it, in seconds since 1970."""

    folder: Path
    newest: float


class Part(Protocol):
    """Something that is saved. Its data may be older than the backup by `lag` seconds, and still be all there is."""

    lag: float

    def staged(self) -> AbstractContextManager[Staged]:
        """Put what is to be saved into a folder, which goes when the context ends."""

    def restore(self, folder: Path, overwrite: bool) -> Iterator[str]:
        """Bring back what was saved, now in `folder`, and yield a line for each thing done or left.

        Raises:
            BackupError: live data is in the way, and `overwrite` is False.
        """

    def scratch(self) -> Path:
        """Return the folder, not made yet, into which a backup is unpacked to be restored from there."""


@contextmanager
def emptied(folder: Path) -> Iterator[Path]:
    """Make a folder, empty even where an earlier run was killed, that goes when the context ends."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
