"""A restic repository: encrypted, incremental, checked. Each part has one of its own, and waits for nobody."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from . import BackupError
from .snapshot import Snapshot

# restic itself tries for a quarter of an hour to reach a storage that is away.
QUICK_SECONDS = 120.0
_LONG_SECONDS = 6 * 3600.0
_NO_REPOSITORY = 10  # https://restic.readthedocs.io/en/stable/075_scripting.html#exit-codes
_NEWEST = "newest="


class Repository:
    """The repository at `url`, written by `host`; restic's password and the storage's login are in the environment.

    One that may only be read takes no lock.
    """

    def __init__(self, url: str, host: str, environment: Mapping[str, str], read_only: bool = False) -> None:
        self._host, self._locks = host, ["--no-lock"] if read_only else ["--retry-lock", "5m"]
        self._environment = {**environment, "RESTIC_REPOSITORY": url}

    def open(self) -> None:
        """Make the repository if there is none, and release the locks of processes that are gone."""
        if self._restic("cat", "config", accept=_NO_REPOSITORY, seconds=QUICK_SECONDS) is None:
            self._restic("init", seconds=QUICK_SECONDS)
        self._restic("unlock", seconds=QUICK_SECONDS)

    def save(self, folder: Path, newest: float) -> Snapshot:
        """Save what is in `folder`; `newest` is the time of its newest data."""
        # Each link to a file changes its ctime, and the file is the same.
        how = ["--ignore-ctime", "--host", self._host, "--tag", f"{_NEWEST}{newest:.0f}", "--group-by", "host,paths"]
        lines = self._restic("backup", *how, str(folder)) or ""
        summary = json.loads(lines.strip().splitlines()[-1])
        return next(each for each in self.snapshots() if each.id == summary["snapshot_id"])

    def snapshots(self) -> list[Snapshot]:
        """Return what is in the repository, the oldest first."""
        found = json.loads(self._restic("snapshots", seconds=QUICK_SECONDS) or "[]")
        return sorted((_snapshot(each) for each in found), key=lambda snapshot: snapshot.made)

    def thin_out(self, days: int) -> None:
        """Keep the backups of the last 24 hours, and one of each of the last `days` days; free what others used."""
        self._restic("forget", "--keep-hourly", "24", "--keep-daily", str(days), "--prune")

    def check(self, share: str) -> None:
        """Check that the repository is whole; `share`, such as 3/30, is how much of the data is read for it."""
        self._restic("check", f"--read-data-subset={share}")

    def restore(self, snapshot: Snapshot, folder: Path) -> None:
        """Unpack a backup into `folder`, which is emptied before."""
        shutil.rmtree(folder, ignore_errors=True)
        self._restic("restore", f"{snapshot.id}:{snapshot.source}", "--target", str(folder), "--verify")

    def _restic(self, *arguments: str, accept: int = 0, seconds: float = _LONG_SECONDS) -> str | None:
        """Run restic and return what it printed, or None where its exit status is `accept`."""
        command = ["restic", "--json", *self._locks, *arguments]
        try:
            done = subprocess.run(
                command, env=self._environment, capture_output=True, text=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired:
            raise BackupError(f"restic {arguments[0]}: not done after {seconds:.0f} s") from None
        if done.returncode == 0:
            return done.stdout
        if accept and done.returncode == accept:
            return None
        raise BackupError(f"restic {arguments[0]}: {_reason(done.stderr or done.stdout)}")


def _snapshot(found: dict[str, Any]) -> Snapshot:
    made = datetime.fromisoformat(found["time"]).timestamp()
    newest = [float(tag.removeprefix(_NEWEST)) for tag in found.get("tags") or [] if tag.startswith(_NEWEST)]
    size = found.get("summary", {}).get("total_bytes_processed", 0)
    return Snapshot(found["id"], made, newest[0] if newest else made, size, found["paths"][0])


def _reason(text: str) -> str:
    """Return what restic says at last, without the JSON around it."""
    lines = text.strip().splitlines() or ["it said nothing"]
    try:
        return str(json.loads(lines[-1])["message"]).strip()
    except (ValueError, KeyError):
        return " ".join(lines[-3:])
