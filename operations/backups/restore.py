"""Bring a part back from its backup: `make restore STACK=… PART=… [SNAPSHOT=latest] [OVERWRITE=1] [BUCKET=]`.

Without PART, list what there is. Live data is overwritten only when told. Exit statuses: 0 done, 1 not done,
2 wrong settings or usage.
"""

import argparse
import json
import sys
from datetime import UTC, datetime
from typing import Any

from components.settings import SettingsError
from operations.progress import waiting
from operations.stack import read

from .backup import SECONDS
from .pods import PARTS, BackupsError, Pods


def listed(pods: Pods, bucket: str = "") -> tuple[dict[str, list[dict[str, Any]]], list[str]]:
    """Return the snapshots that there are, the oldest first, by part and pod; and why others cannot be listed."""
    found: dict[str, list[dict[str, Any]]] = {}
    problems = []
    for part in PARTS:
        try:
            for name in pods.of(part):
                with waiting(f"listing {part} ({name})") as watch:
                    said = pods.tell(name, "list", part, *_of(bucket), seconds=SECONDS, watch=watch)
                if said.status == 0:
                    found[f"{part} ({name})"] = json.loads(said.output)
                else:
                    problems.append(f"{part} ({name}): {said.problem}")
        except BackupsError as error:
            problems.append(f"{part}: {error}")
    return found, problems


def _of(bucket: str) -> list[str]:
    return ["--bucket", bucket] if bucket else []


def restore(pods: Pods, part: str, snapshot: str, overwrite: bool, bucket: str = "") -> None:
    """Restore a part in each pod that saves it, with what is said on standard output.

    Args:
        pods: of the cluster.
        part: which.
        snapshot: `latest`, the beginning of an id, or a time.
        overwrite: whether live data may be.
        bucket: of another stack, or "" for the stack's own.

    Raises:
        BackupsError: why it was not done.
    """
    command = ["restore", part, "--snapshot", snapshot, *_of(bucket), *(["--overwrite"] if overwrite else [])]
    for name in pods.of(part):
        print(f"{name}:", flush=True)
        with waiting(f"restoring {part} ({name})") as watch:
            said = pods.tell(name, *command, seconds=SECONDS, watch=watch)
        print(said.output, end="", flush=True)
        if said.status != 0:
            raise BackupsError(f"{part} ({name}): {said.problem}")


def _table(found: dict[str, list[dict[str, Any]]]) -> str:
    lines = []
    for where, snapshots in found.items():
        lines.append(f"{where}: {len(snapshots) or 'no'} backups")
        lines += [
            f"  {each['id'][:40]:42}{_time(each['made'])}  {each['size'] / 2**20:10.1f} MiB" for each in snapshots
        ]
    return "\n".join(lines)


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def main() -> int:
    """Restore, or list. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="make restore", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stack", required=True, help="whose part; the kubeconfig must lead to its cluster")
    parser.add_argument("--part", choices=list(PARTS), help="what is restored; without, the backups are listed")
    parser.add_argument("--snapshot", default="latest", help="latest, an id, or the last one up to a time (ISO 8601)")
    parser.add_argument("--bucket", default="", help="of another stack, which backup.otherBucket names")
    parser.add_argument("--overwrite", action="store_true", help="live data may be overwritten")
    parser.add_argument("--json", action="store_true", help="list as JSON")
    arguments = parser.parse_args()
    try:
        pods = Pods(read(arguments.stack).cluster.context)
        if arguments.part:
            restore(pods, arguments.part, arguments.snapshot, arguments.overwrite, arguments.bucket)
        else:
            found, problems = listed(pods, arguments.bucket)
            print(json.dumps(found, indent=2) if arguments.json else _table(found))
            if problems:
                raise BackupsError("not listed:\n" + "\n".join(f"  - {problem}" for problem in problems))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    except BackupsError as error:
        print(f"restore: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
