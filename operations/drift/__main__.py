"""Say what on the cluster is not what Pulumi and Helm made it, without changing anything: `make drift STACK=…`.

A refresh does not look into Releases. Here each object of a Release's manifest and of Pulumi's state is applied in a
dry run by the API server, and the result is compared with the object that is there; and what Helm remembers of each
Release is compared with what Pulumi gave it last.

Exit statuses: 0 no drift, 3 drift, 1 the stack or its cluster could not be looked at, 2 wrong settings or usage.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from components.foundation.elastic_status import refusal
from components.settings import SettingsError
from operations import stack as stacks
from operations.cluster import Missing, Unreadable
from operations.engine import EngineError, Pulumi

from .compare import ABSENT, Difference, differences
from .expected import Expected, manifest, objects, releases
from .server import Refused, Server
from .show import as_json, as_text

_ROOT = Path(__file__).parent.parent.parent
_AT_ONCE = 8
FOUND = 3

_Found = tuple[Expected, list[Difference]]


def _of_releases(server: Server, state: Any) -> Iterator[tuple[_Found, list[Expected]]]:
    """Return what differs of each Release itself, and the objects that it consists of."""
    for release in releases(state):
        last, deployed = server.records(release)
        expected = release.expected
        if last is None:
            yield (expected, [Difference("", "the release", ABSENT)]), []
        else:
            differing = differences(expected.manifest, expected.manifest, release.live(last))
            yield (expected, differing), list(manifest(release, deployed or last))


def _looked_at(server: Server, expected: Expected) -> list[Difference]:
    try:
        path = server.path(expected)
        live = server.get(path)
    except Missing:
        return [Difference("", "the object", ABSENT)]
    refused = refusal(live)
    unmade = [Difference("status", "made by its operator", refused["message"])] if refused else []
    try:
        return [*differences(expected.manifest, server.applied(path, expected.manifest), live), *unmade]
    except Refused as error:
        return [Difference("", "the object", f"nothing that it could become: {error}")]


def main() -> int:
    """Look, and show what was found. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="make drift", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stack", required=True, help="whose objects are looked at; the kubeconfig must lead there")
    parser.add_argument("--json", action="store_true", help="print what differs as JSON")
    arguments = parser.parse_args()
    try:
        server = Server(stacks.read(arguments.stack).cluster.context)
        state = Pulumi(arguments.stack, dict(os.environ), _ROOT).state(secrets=True)
        of_releases = list(_of_releases(server, state))
        made = [*objects(state), *(one for _, consists_of in of_releases for one in consists_of)]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            looked_at = pool.map(lambda one: (one, _looked_at(server, one)), made)
            found = [*(itself for itself, _ in of_releases), *looked_at]
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    except EngineError as error:
        print(f"drift: {error}", file=sys.stderr)
        return 1
    except Unreadable as error:
        print(f"drift: {error}: {error.remedy}", file=sys.stderr)
        return 1
    drift = [(expected, differing) for expected, differing in found if differing]
    print((as_json if arguments.json else as_text)(arguments.stack, drift, len(found)))
    return FOUND if drift else 0


if __name__ == "__main__":
    sys.exit(main())
