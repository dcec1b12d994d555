"""Grafana's database, which holds users, their preferences, and dashboards made by hand."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from . import BackupError
from .part import Staged, emptied

_NAME = "grafana.db"
_BUSY_SECONDS = 30


class Database:
    """The SQLite database at `file`, while Grafana uses it; `work` is a folder for copies."""

    lag = 0.0

    def __init__(self, file: Path, work: Path) -> None:
        self._file, self._work = file, work

    @contextmanager
    def staged(self) -> Iterator[Staged]:
        """Copy the database as one transaction sees it."""
        if not self._file.exists():
            raise BackupError(f"Grafana has made no database yet: {self._file}")
        with emptied(self._work / "stage") as stage:
            now = time.time()
            _copy(self._file, stage / _NAME)
            yield Staged(stage, now)

    def scratch(self) -> Path:
        """Return a folder of `work`."""
        return self._work / "restore"

    def restore(self, folder: Path, overwrite: bool) -> Iterator[str]:
        """Write the saved database into the live one in one transaction, and keep what was there beside it."""
        if not overwrite:
            raise BackupError(
                f"{self._file} is in use: told to overwrite, it becomes what was saved, and what it is now is kept "
                "beside it"
            )
        if self._file.exists():
            before = self._file.with_name(f"{_NAME}.before-restore")
            _copy(self._file, before)
            yield f"kept what was there as {before}"
        _copy(folder / _NAME, self._file)
        yield f"restored {self._file}; restart Grafana, which remembers who is logged in"


def _copy(source: Path, target: Path) -> None:
    """Copy a database whole, or leave `target` as it is."""
    try:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=_BUSY_SECONDS)) as from_,
            closing(sqlite3.connect(target, timeout=_BUSY_SECONDS)) as to,
        ):
            (damage,) = from_.execute("PRAGMA integrity_check(1)").fetchone()
            if damage != "ok":
                raise BackupError(f"{source} is damaged: {damage}")
            from_.backup(to)
    except sqlite3.Error as error:
        raise BackupError(f"cannot copy {source} to {target}: {error}") from error
