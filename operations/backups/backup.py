"""Save everything now, each part by the program that saves it on schedule: `make backup STACK=…`.

What was running then is saved with it, as a manifest. Exit statuses: 0 all is saved, 3 a part is not, 1 the cluster
cannot be asked, 2 wrong settings.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from components.foundation.names import MONITORING
from components.settings import Settings, SettingsError
from operations.progress import waiting
from operations.stack import read

from .pods import PARTS, BackupsError, Pods, Said

SECONDS = 4 * 3600


def save(pods: Pods, parts: Mapping[str, str] = PARTS) -> list[dict[str, Any]]:
    """Save each part in each pod that does, with progress on stderr, and return what came of it.

    Returns:
        For each: part, pod, and `snapshot` or `error`.
    """
    results: list[dict[str, Any]] = []
    for part in parts:
        try:
            names = pods.of(part)
        except BackupsError as error:
            results.append({"part": part, "pod": None, "error": str(error)})
            continue
        for name in names:
            result = _saved(pods, part, name)
            results.append({"part": part, "pod": name, **result})
    return results


def _saved(pods: Pods, part: str, pod: str, line: str = "") -> dict[str, Any]:
    began = time.monotonic()
    with waiting(f"saving {part} ({pod})") as watch:
        try:
            said = pods.tell(pod, "save", part, seconds=SECONDS, watch=watch, line=line)
        except BackupsError as error:
            said = Said(1, "", str(error))
    if said.status == 0:
        return {"snapshot": json.loads(said.output), "seconds": round(time.monotonic() - began, 1)}
    return {"error": said.problem}


def manifest(stack: str, settings: Settings, pods: Pods, results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what was running, and what is saved. No value of a Secret is in it."""
    images = sorted({each.image for pod in pods.everything() for each in pod.spec.containers})
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "stack": stack,
        "cluster": settings.cluster.name,
        "namespace": MONITORING,
        "images": images,
        "parts": results,
    }


def _kept(pods: Pods, written: dict[str, Any]) -> dict[str, Any]:
    """Save the manifest itself, and return what came of it."""
    try:
        pod = pods.of("alertmanager")[0]
    except BackupsError as error:
        return {"part": "manifest", "pod": None, "error": str(error)}
    return {"part": "manifest", "pod": pod, **_saved(pods, "manifest", pod, json.dumps(written))}


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """Return what came of each part, for people."""
    return "\n".join(f"{'saved' if 'snapshot' in each else 'FAILED':7}{_line(each)}" for each in results)


def _line(result: Mapping[str, Any]) -> str:
    where = f"{result['part']} ({result['pod']})" if result["pod"] else result["part"]
    if "error" in result:
        return f"{where}: {result['error']}"
    snapshot = result["snapshot"]
    newest = datetime.fromtimestamp(snapshot["newest"], UTC)
    size = f"{snapshot['size'] / 2**20:.1f} MiB"
    return f"{where}: {snapshot['id'][:40]}, newest data of {newest:%Y-%m-%d %H:%M} UTC, {size}, {result['seconds']} s"


def main() -> int:
    """Save the stack. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="make backup", description=__doc__)
    parser.add_argument("--stack", required=True, help="what is saved; the kubeconfig must lead to its cluster")
    parser.add_argument("--json", action="store_true", help="print the manifest alone")
    arguments = parser.parse_args()
    try:
        settings = read(arguments.stack)
        pods = Pods(settings.cluster.context)
        results = save(pods)
        written = manifest(arguments.stack, settings, pods, results)
        results.append(_kept(pods, written))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    except BackupsError as error:
        print(f"backup: {error}", file=sys.stderr)
        return 1
    print(json.dumps(written, indent=2) if arguments.json else table(results))
    return 3 if any("error" in result for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
