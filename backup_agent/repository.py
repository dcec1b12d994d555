"""A restic repository: encrypted, incremental, checked. Each part has one of its own, and waits for nobody."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from . import BackupError
from .answer import parsed
from .snapshot import Snapshot

# restic itself tries for a quarter of an hour to reach a storage that is away.
QUICK_SECONDS, RETRY_LOCK = 120.0, "5m"
_LONG_SECONDS = 6 * 3600.0
_END_SECONDS = 4.0  # before stopping.STUCK_SECONDS are over
_NO_REPOSITORY = 10  # https://restic.readthedocs.io/en/stable/075_scripting.html#exit-codes
_NEWEST = "newest="
_NO_LOCK = "--no-lock"
_SNAPSHOTS = [
    {"id": str, "time": datetime, "paths": [str], "tags?": [str], "summary?": {"total_bytes_processed?": float}}
]


class Repository:
    """The repository at `url`, written by `host`; restic's password and the storage's login are in the environment.

    One that may only be read takes no lock. Otherwise what saves shares a lock with others that save, and what removes
    and checks waits until it is alone, for five minutes.
    """

    def __init__(self, url: str, host: str, environment: Mapping[str, str], read_only: bool = False) -> None:
        self._host, self._locks = host, [_NO_LOCK] if read_only else ["--retry-lock", RETRY_LOCK]
        # Else it says 60 times a second how far it is, which would be kept until it ends.
        self._environment = {**environment, "RESTIC_REPOSITORY": url, "RESTIC_PROGRESS_FPS": "0.01"}

    def open(self) -> None:
        """Make the repository if there is none, and release the locks of restics that were killed.

        restic knows those by a process of this host name that is no more, or by half an hour without a sign of life.
        """
        # First of all, and it waits for no lock itself: all else would wait in vain for the end of a killed one.
        if self._restic("unlock", accept=_NO_REPOSITORY, seconds=QUICK_SECONDS) is None:
            self._restic("init", seconds=QUICK_SECONDS)

    def save(self, folder: Path, newest: float) -> Snapshot:
        """Save what is in `folder`; `newest` is the time of its newest data."""
        # Each link to a file changes its ctime, and the file is the same.
        how = ["--ignore-ctime", "--host", self._host, "--tag", f"{_NEWEST}{newest:.0f}", "--group-by", "host,paths"]
        lines = self._restic("backup", *how, str(folder)) or ""
        made = parsed("restic backup", lines.strip().rpartition("\n")[2], {"snapshot_id": str})["snapshot_id"]
        for each in self.snapshots():
            if each.id == made:
                return each
        raise BackupError(f"restic backup: made the snapshot {made}, which restic snapshots does not list")

    def snapshots(self) -> list[Snapshot]:
        """Return what is in the repository, the oldest first."""
        text = self._restic("snapshots", _NO_LOCK, seconds=QUICK_SECONDS) or ""
        found = parsed("restic snapshots", text, _SNAPSHOTS)
        return sorted((_snapshot(each) for each in found), key=lambda snapshot: snapshot.made)

    def thin_out(self, days: int) -> None:
        """Keep the backups of the last 24 hours, and one of each of the last `days` days; free what others used."""
        self._restic("forget", "--keep-within", "24h", "--keep-daily", str(days), "--prune")

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
        with subprocess.Popen(
            command, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as restic:
            try:
                output, errors = restic.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                raise BackupError(f"restic {arguments[0]}: not done after {seconds:.0f} s") from None
            finally:
                _end(restic)
        if restic.returncode == 0:
            return output
        if accept and restic.returncode == accept:
            return None
        raise BackupError(f"restic {arguments[0]}: {_reason(errors or output)}")


def _end(restic: "subprocess.Popen[str]") -> None:
    """End restic, if it still runs: told to, it takes its lock away before."""
    if restic.poll() is None:
        restic.terminate()
        try:
            restic.communicate(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            restic.kill()


def _snapshot(found: dict[str, Any]) -> Snapshot:
    made = datetime.fromisoformat(found["time"]).timestamp()
    newest = [float(number) for tag in found.get("tags") or [] for number in re.findall(f"^{_NEWEST}(\\d+)$", tag)]
    size = (found.get("summary") or {}).get("total_bytes_processed") or 0
    return Snapshot(found["id"], made, newest[0] if newest else made, size, "".join(found["paths"][:1]))


def _reason(text: str) -> str:
    """Return what restic says at last, without the JSON around it."""
    lines = text.strip().splitlines() or ["it said nothing"]
    try:
        return str(json.loads(lines[-1])["message"]).strip()
    except (ValueError, KeyError, TypeError):
        return " ".join(lines[-3:])
