"""Parts that restic saves."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime

from .part import Part
from .repository import Repository
from .snapshot import Snapshot

_SHARES = 30  # of the data, one is read each day, so that all of it is read each month


class SavedByRestic:
    """A part, saved each `interval` seconds to `repository`, with a backup a day kept for `days`."""

    def __init__(
        self,
        name: str,
        part: Part,
        repository: Repository,
        interval: float,
        days: int,
    ) -> None:
        self.part, self.objective = name, part.lag + 2 * interval
        self._part, self._repository, self._days = part, repository, days

    def save(self) -> Snapshot:
        """Stage the part and save it."""
        self._repository.open()
        with self._part.staged() as staged:
            return self._repository.save(staged.folder, staged.newest)

    scheduled = save

    def check(self) -> None:
        """Remove what is kept no longer, and check the repository, with the day's share of its data."""
        self._repository.open()
        self._repository.thin_out(self._days)
        today = datetime.now(UTC).timetuple().tm_yday
        self._repository.check(f"{today % _SHARES + 1}/{_SHARES}")

    def snapshots(self) -> list[Snapshot]:
        """Return the backups, the oldest first."""
        return self._repository.snapshots()

    def restore(self, snapshot: Snapshot, overwrite: bool) -> Iterator[str]:
        """Unpack a backup, verified, beside the live data; then bring that back."""
        scratch = self._part.scratch()
        try:
            self._repository.restore(snapshot, scratch)
            yield from self._part.restore(scratch, overwrite)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
