"""Runs the backups when they are due, and tells Prometheus how that goes."""

import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from . import BackupError
from .snapshot import Backup, Snapshot

_RETRY_SECONDS, _CHECK_SECONDS, _TICK_SECONDS = 300.0, 86400.0, 5.0

_METRICS = {
    "backup_objective_seconds": "How old the newest saved data may become.",
    "backup_newest_data_timestamp_seconds": "Time of the newest data in the last good backup.",
    "backup_last_success_timestamp_seconds": "When the last good backup was made.",
    "backup_size_bytes": "How much the last good backup holds.",
    "backup_duration_seconds": "How long the last run took.",
    "backup_failing": "1 where the last run failed.",
    "backup_check_failing": "1 where the last check of what was saved failed.",
    "backup_check_last_success_timestamp_seconds": "When the last check succeeded.",
}


@dataclass
class Record:
    """How a part's backups go: its metrics by name, and when the next run and the next check are due."""

    backup: Backup
    values: dict[str, float] = field(default_factory=dict)
    run_at: float = 0
    check_at: float = 0

    def __post_init__(self) -> None:
        self.values |= {"backup_objective_seconds": self.backup.objective}

    def keep(self, snapshot: Snapshot) -> None:
        """Remember a good backup."""
        self.values["backup_newest_data_timestamp_seconds"] = snapshot.newest
        self.values["backup_last_success_timestamp_seconds"] = snapshot.made
        self.values["backup_size_bytes"] = snapshot.size


class Schedule:
    """The backups of this process, each run every `interval` seconds, five minutes after a failure, checked daily."""

    def __init__(
        self,
        backups: Sequence[Backup],
        interval: float,
        say: Callable[[str], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._records = [Record(backup) for backup in backups]
        self._interval, self._say, self._now = interval, say, now

    def run_due(self) -> None:
        """Run what is due, one after another."""
        for record in self._records:
            if self._now() >= record.run_at:
                ok = self._attempt(record, "failing", partial(self._run, record))
                record.run_at = self._now() + (self._interval if ok else min(self._interval, _RETRY_SECONDS))
            if self._now() >= record.check_at and record.values.get("backup_failing") == 0:
                ok = self._attempt(record, "check_failing", partial(self._check, record))
                record.check_at = self._now() + (_CHECK_SECONDS if ok else min(self._interval, _RETRY_SECONDS))

    def run(self) -> None:
        """Run for ever."""
        while True:
            self.run_due()
            time.sleep(_TICK_SECONDS)

    def _attempt(self, record: Record, metric: str, what: Callable[[], None]) -> bool:
        began, error = self._now(), ""
        try:
            what()
        except (BackupError, OSError) as problem:
            error = str(problem)
        except Exception:  # one that nobody thought of: the other parts are saved all the same
            error = traceback.format_exc()
        if error:
            self._say(f"error: {record.backup.part}: {error}")
        record.values[f"backup_{metric}"] = float(bool(error))
        if metric == "failing":
            record.values["backup_duration_seconds"] = self._now() - began
        return not error

    def _run(self, record: Record) -> None:
        if "backup_last_success_timestamp_seconds" not in record.values:
            self._recall(record)
        snapshot = record.backup.scheduled()
        record.keep(snapshot)
        self._say(f"saved {record.backup.part}: {snapshot}")

    def _recall(self, record: Record) -> None:
        """Take up what was saved before this process began, so that a failure now does not look like a fresh start."""
        try:
            if snapshots := record.backup.snapshots():
                record.keep(snapshots[-1])
        except BackupError:
            pass  # nothing was saved yet, or the storage is away, which the run that comes now will say

    def _check(self, record: Record) -> None:
        record.backup.check()
        record.values["backup_check_last_success_timestamp_seconds"] = self._now()
        self._say(f"checked {record.backup.part}")

    def metrics(self) -> str:
        """Return the metrics in Prometheus' text format."""
        lines = []
        for name, help_ in _METRICS.items():
            lines += [f"# HELP {name} {help_}", f"# TYPE {name} gauge"]
            for record in self._records:
                if (value := record.values.get(name)) is not None:
                    lines.append(f'{name}{{part="{record.backup.part}"}} {value}')
        return "\n".join([*lines, ""])


def serve(schedule: Schedule, address: tuple[str, int]) -> ThreadingHTTPServer:
    """Answer Prometheus in the background, and return the server."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = schedule.metrics().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """A scrape is nothing to log."""

    server = ThreadingHTTPServer(address, Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
