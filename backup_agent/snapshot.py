"""A backup that was made, and what can be asked of whatever makes them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from . import BackupError


@dataclass(frozen=True)
class Snapshot:
    """A backup: its id, when it was made, the time of its newest data (s since 1970), bytes, what it was made of."""

    id: str
    made: float
    newest: float
    size: int
    source: str

    def __str__(self) -> str:
        made, newest = (f"{datetime.fromtimestamp(each, UTC):%Y-%m-%d %H:%M:%S}" for each in (self.made, self.newest))
        return f"{self.id[:40]}, made {made} UTC, newest data of {newest} UTC, {self.size / 2**20:.1f} MiB"


class Backup(Protocol):
    """A part of the stack that is saved. `objective` is how old, in seconds, the newest saved data may become."""

    part: str
    objective: float

    def scheduled(self) -> Snapshot:
        """Make the backup that is due, or find the one that another made; return it."""

    def save(self) -> Snapshot:
        """Make a backup now, and return it."""

    def check(self) -> None:
        """Check what was saved, and free what is kept no longer.

        Raises:
            BackupError: it is damaged, or cannot be read.
        """

    def snapshots(self) -> list[Snapshot]:
        """Return the backups, the oldest first."""

    def restore(self, snapshot: Snapshot, overwrite: bool) -> Iterator[str]:
        """Bring a backup's data back, and yield a line for each thing done or left."""


def choose(snapshots: Sequence[Snapshot], wanted: str) -> Snapshot:
    """Return the snapshot that is `wanted`: `latest`, the beginning of an id, or the last one up to a time (ISO 8601).

    The latest is taken only where it is not made of what came after a loss: where no earlier one holds twice as much.

    Raises:
        BackupError: there is none, naming those that there are; or the latest holds too little, naming another.
    """
    if wanted == "latest" and (fuller := [each for each in snapshots if each.size > 2 * snapshots[-1].size]):
        raise BackupError(
            f"the latest backup ({snapshots[-1]}) holds less than half of an earlier one ({fuller[-1]}), as after a "
            "loss: say which is wanted, by its id or by a time"
        )
    found = [each for each in snapshots if wanted == "latest" or each.id.startswith(wanted)]
    if not found:
        try:
            time = datetime.fromisoformat(wanted)
        except ValueError:
            time = None
        if time:
            until = (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
            found = [each for each in snapshots if each.made <= until]
    if found:
        return found[-1]
    there = "\n".join(f"  {each}" for each in snapshots) or "  none"
    raise BackupError(
        f"there is no backup {wanted!r}: latest, an id or a time such as 2026-01-31T12:00 is allowed; "
        f"there are:\n{there}"
    )
