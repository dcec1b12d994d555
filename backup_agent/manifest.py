"""What was running when a backup was made by hand: its date, namespace, versions, images, and what is in it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .part import Staged, emptied

_NAME = "manifest.json"


class Manifest:
    """A line of text that `read` returns; `work` is a folder for copies."""

    lag = 0.0

    def __init__(self, read: Callable[[], str], work: Path) -> None:
        self._read, self._work = read, work

    @contextmanager
    def staged(self) -> Iterator[Staged]:
        """Read the text, and write it into a file."""
        with emptied(self._work / "manifest") as stage:
            (stage / _NAME).write_text(self._read())
            yield Staged(stage, time.time())

    def scratch(self) -> Path:
        """Return a folder of `work`."""
        return self._work / "restore"

    def restore(self, folder: Path, overwrite: bool) -> Iterator[str]:  # noqa: ARG002 - it is shown, not brought back
        """Yield the text."""
        yield (folder / _NAME).read_text()
