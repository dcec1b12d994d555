"""Send an alert that is marked as a drill to each receiver, and say which one it does not reach: `make fire-drill`.

It goes the way of every alert, through Alertmanager's own routes, and ends. Receivers that wake somebody are left out,
unless named. Exit statuses: 0 nothing failed, 3 a receiver was not told, 1 Alertmanager cannot be asked, 2 wrong
settings or usage.
"""

import argparse
import sys

from components.foundation.web_interfaces import ALERTMANAGER
from components.settings import SettingsError
from operations.cluster import Cluster, Unreadable
from operations.stack import read
from operations.troubleshoot.web_interfaces import login, ready_pods

from .drill import Drill
from .replica import Pod
from .result import State, as_json, table

_TIMEOUT = 30  # seconds


def main() -> int:
    """Drill the receivers of a stack. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="make fire-drill", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stack", required=True, help="whose receivers; the kubeconfig must lead to its cluster")
    parser.add_argument("--receiver", action="append", default=[], help="only this one, also if it wakes somebody")
    parser.add_argument("--json", action="store_true", help="print what came of it as JSON")
    arguments = parser.parse_args()
    try:
        settings = read(arguments.stack)
        cluster = Cluster(settings.cluster.context, _TIMEOUT)
        header = login(cluster, settings)
        replicas = [Pod(cluster, pod, header) for pod in ready_pods(cluster, ALERTMANAGER)]
        drill = Drill(replicas, arguments.stack, settings.cluster.name)
        if unknown := [one for one in arguments.receiver if one not in drill.receivers]:
            print(
                f"fire-drill: no alert goes to {', '.join(unknown)}; receivers: {', '.join(drill.receivers)}",
                file=sys.stderr,
            )
            return 2
        results = drill.run(arguments.receiver)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    except Unreadable as error:
        print(f"fire-drill: {error}: {error.remedy}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("fire-drill: stopped, and its alerts are ended", file=sys.stderr)
        return 1
    print((as_json if arguments.json else table)(arguments.stack, drill.mark, results))
    return 3 if any(one.state is State.FAILED for one in results) else 0


if __name__ == "__main__":
    sys.exit(main())
