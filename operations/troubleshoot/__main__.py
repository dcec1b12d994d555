"""Say what is wrong on the cluster of a stack, and what to do, without changing anything: `make troubleshoot STACK=…`.

Exit statuses: 0 nothing found, 3 warnings, 4 something critical, 1 the cluster or all of its rest could not be looked
at, 2 wrong settings or usage.
"""

import argparse
import sys
from datetime import UTC, datetime

from components.settings import SettingsError
from operations.cluster import Cluster, Unreadable, late
from operations.stack import read

from . import runner, table
from .checks import checks
from .finding import exit_status


def _connect(context: str, timeout: float) -> Cluster:
    cluster = Cluster(context, timeout, runner.WHEN_LATE)
    cluster.get("/version")
    return cluster


def main() -> int:
    """Look, and show what was found. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="make troubleshoot", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stack", required=True, help="whose cluster is looked at; the kubeconfig must lead there")
    parser.add_argument("--timeout", type=float, default=10, help="seconds that each check may take (default: 10)")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    arguments = parser.parse_args()
    stack, timeout, now = arguments.stack, arguments.timeout, datetime.now(UTC)
    try:
        settings = read(stack)
        try:
            # Beside the rest too: a kubeconfig may run a program for the login, which has no time limit.
            cluster = runner.start(lambda: _connect(settings.cluster.context, timeout)).result(timeout)
        except TimeoutError:
            raise late(timeout, runner.WHEN_LATE) from None
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    except Unreadable as error:
        print(f"troubleshoot: {error}: {error.remedy}", file=sys.stderr)
        return 1
    looked_at = checks(cluster, settings, stack, now)
    findings = runner.run(looked_at, timeout)
    print(table.as_json(stack, findings, looked_at) if arguments.json else table.table(stack, findings, looked_at, now))
    return exit_status(findings)


if __name__ == "__main__":
    sys.exit(main())
