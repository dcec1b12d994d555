"""Release what a killed `pulumi up` left behind, so that the next one converges: `make repair STACK=…`.

It releases the stack's lock, clears pending operations, and makes Helm's records and Pulumi's state say the same of
each Release of the stack: docs/repair.md has each state that they can be left in. No object that a Release consists of
is touched: that is the next `up`'s. Where an update may be running, or the kubeconfig leads to another cluster than
the stack's, nothing is done.

Exit statuses: 0 it is repaired, or nothing was to repair, 1 it cannot be repaired now, 2 wrong usage.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from operations.engine import EngineError

from . import RepairError
from .repair import repair

_ROOT = Path(__file__).parent.parent.parent


def main() -> int:
    """Repair one stack. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="make repair", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stack", required=True, help="the stack whose update was killed")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")
    arguments = parser.parse_args()
    try:
        done = repair(arguments.stack, dict(os.environ), _ROOT)
    except (EngineError, RepairError) as error:
        print(f"repair: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps({"stack": arguments.stack, "done": done}, indent=2))
    elif done:
        print(
            "\n".join(
                [*done, f"Now, with the settings of the update that was killed: pulumi up --stack {arguments.stack}"]
            )
        )
    else:
        print(f"nothing to repair in stack {arguments.stack}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
