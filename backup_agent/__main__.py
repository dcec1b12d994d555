"""`python -m backup run PART…` saves on schedule; `save`, `list`, `restore` and `set-up` do one thing and end.

Environment: BACKUP_STORAGE, restic's address of the bucket, RESTIC_PASSWORD, BACKUP_INTERVAL_SECONDS,
BACKUP_RETENTION_DAYS; BACKUP_WORK, a folder for copies; BACKUP_LISTEN, host:port for metrics; BACKUP_BUCKET, for
Elasticsearch. Of a part only: PROMETHEUS_DATA, POD_NAME; GRAFANA_DATABASE; ALERTMANAGER_URL, WEB_LOGIN; and with
the name of an Elasticsearch cluster in capitals: MANGAKAI_LOGS_URL, …_LOGIN, …_AUTHORITY. `save manifest` reads a line.
Exit status: 0, or 1 with the reason on stderr. SIGTERM ends `run` with 0, as it is told to, and all else with 143.
"""

import argparse
import functools
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from . import BackupError, NotServedError
from .blocks import Blocks
from .database import Database
from .elasticsearch import Elasticsearch
from .manifest import Manifest
from .part import Part
from .repository import Repository
from .saved_by_restic import SavedByRestic
from .schedule import Schedule, serve
from .silences import Silences
from .snapshot import Backup, choose
from .stopping import end_on_sigterm
from .web import Web

PATTERNS = {"mangakai-logs": "mangakai-logs-*", "mangakai-traces": "mangakai-jaeger-*"}
RUN = ["prometheus", "grafana", "alertmanager", *PATTERNS]
PARTS = [*RUN, "manifest"]
# How long a cluster may take to serve a set-up, and the pause between two attempts.
START_SECONDS, PAUSE_SECONDS = 240.0, 5.0

say = functools.partial(print, flush=True)


class Environment(dict[str, str]):
    """The environment: asked for a variable that is not set, it says so."""

    def __missing__(self, name: str) -> str:
        raise BackupError(f"not set in the environment: {name}")


def backup(name: str, environment: Mapping[str, str], other_bucket: str = "") -> Backup:
    """Return what makes the backups of a part, or reads them from the bucket of another stack."""
    if name in PATTERNS:
        return elasticsearch(name, environment, other_bucket)
    part, path = _part(name, environment)
    storage = environment["BACKUP_STORAGE"]
    if other_bucket:
        storage = f"{storage.rpartition('/')[0]}/{other_bucket}"
    repository = Repository(f"{storage}/{path}", Path(path).name, environment, read_only=bool(other_bucket))
    interval, days = _number(environment, "BACKUP_INTERVAL_SECONDS"), _number(environment, "BACKUP_RETENTION_DAYS")
    return SavedByRestic(name, part, repository, interval, days)


def _number(environment: Mapping[str, str], name: str) -> int:
    try:
        return int(environment[name])
    except ValueError:
        raise BackupError(f"{name} in the environment is not a whole number: {environment[name]!r}") from None


def _part(name: str, environment: Mapping[str, str]) -> tuple[Part, str]:
    """Return what is saved, and where in the bucket; each Prometheus has blocks of its own."""
    if name == "prometheus":
        return Blocks(Path(environment["PROMETHEUS_DATA"])), f"prometheus/{environment['POD_NAME']}"
    work = Path(environment["BACKUP_WORK"])
    if name == "grafana":
        return Database(Path(environment["GRAFANA_DATABASE"]), work), "grafana/database"
    if name == "manifest":
        return Manifest(sys.stdin.readline, work), "backup/manifest"
    alertmanager = Web(environment["ALERTMANAGER_URL"], environment.get("WEB_LOGIN", ""))
    return Silences(alertmanager, work), "backup/silences"


def elasticsearch(name: str, environment: Mapping[str, str], other_bucket: str = "") -> Elasticsearch:
    """Return what watches a cluster's snapshots."""
    prefix = name.upper().replace("-", "_")
    url, login, authority = (environment[f"{prefix}_{what}"] for what in ("URL", "LOGIN", "AUTHORITY"))
    web = Web(url, login, Path(authority) if authority else None)
    interval = _number(environment, "BACKUP_INTERVAL_SECONDS")
    # The first index of the logs has the same name on each cluster, and an alias to write to; Jaeger's are of a day.
    return Elasticsearch(name, web, PATTERNS[name], interval, name == "mangakai-logs", other_bucket)


def main(arguments: list[str], environment: Mapping[str, str]) -> int:
    """Do what the command line says, and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        _do(options, Environment(environment))
    except (BackupError, OSError) as error:
        say(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _do(options: argparse.Namespace, environment: Mapping[str, str]) -> None:
    if options.command == "run":
        interval = _number(environment, "BACKUP_INTERVAL_SECONDS")
        schedule = Schedule([backup(name, environment) for name in options.parts], interval, say)
        host, _, port = environment["BACKUP_LISTEN"].rpartition(":")
        serve(schedule, (host, int(port)))
        schedule.run()
    if options.command == "set-up":
        for name in options.parts:
            _set_up(name, environment)
        return
    one = backup(options.part, environment, getattr(options, "bucket", ""))
    if options.command == "save":
        say(json.dumps(asdict(one.save())))
    elif options.command == "list":
        say(json.dumps([asdict(snapshot) for snapshot in one.snapshots()]))
    else:
        snapshot = choose(one.snapshots(), options.snapshot)
        say(f"restoring {options.part} from {snapshot}")
        for line in one.restore(snapshot, options.overwrite):
            say(line)


def _set_up(name: str, environment: Mapping[str, str]) -> None:
    """Set up the snapshots of a cluster, which may start at the same time: it is asked until it serves."""
    days, bucket = _number(environment, "BACKUP_RETENTION_DAYS"), environment["BACKUP_BUCKET"]
    cluster, deadline = elasticsearch(name, environment), time.monotonic() + START_SECONDS
    while True:
        try:
            for line in cluster.set_up(bucket, days):
                say(f"{name}: {line}")
            return
        except NotServedError as error:
            if time.monotonic() > deadline:
                raise
            say(f"waiting for {name}: {error}")
            time.sleep(PAUSE_SECONDS)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="backup", description="Backups of the monitoring stack.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, help_ in {"run": "save on schedule, for ever", "set-up": "let Elasticsearch save itself"}.items():
        command = commands.add_parser(name, help=help_)
        command.add_argument("parts", nargs="+", choices=RUN if name == "run" else list(PATTERNS), metavar="PART")
    for name, help_ in {"save": "save now", "list": "the backups as JSON", "restore": "bring a backup back"}.items():
        command = commands.add_parser(name, help=help_)
        command.add_argument("part", choices=PARTS)
        if name != "save":
            command.add_argument("--bucket", default="", help="of another stack, that may be read")
        if name == "restore":
            command.add_argument("--snapshot", default="latest", help="latest, an id, or the last one up to a time")
            command.add_argument("--overwrite", action="store_true", help="live data may be overwritten")
    return parser


if __name__ == "__main__":
    end_on_sigterm(0 if sys.argv[1:2] == ["run"] else 128 + signal.SIGTERM)
    sys.exit(main(sys.argv[1:], os.environ))
