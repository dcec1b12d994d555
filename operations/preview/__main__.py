"""Show what `pulumi up` would change in a stack, object by object, those of its Helm Releases too: `make preview`.

Against what is deployed: Pulumi's own difference, then what each Release renders before and after. With --base,
without any cluster: from the program of a git ref to the one of this checkout. Ends with a summary of a few lines.

Exit statuses: 0 nothing changes, or objects are only added or changed in place, pods restarted or not; 3 something is
deleted, replaced or cannot change in place; 1 there is no preview; 2 wrong usage; 130 interrupted.
"""

import argparse
import os
import sys
from pathlib import Path

from operations.preview.show import between, deployed

_ROOT = Path(__file__).parent.parent.parent


def _charts() -> Path:
    """Return where the chart archives lie: those that `make charts` downloaded, or else the sandbox's."""
    official, stand_ins = _ROOT / ".charts", _ROOT / ".sandbox" / "charts"
    return stand_ins if stand_ins.is_dir() and not official.is_dir() else official


def main() -> int:
    """Preview one stack; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="make preview", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stack", required=True, help="the stack")
    parser.add_argument("--base", help="a git ref to compare with, instead of what is deployed")
    parser.add_argument("--charts", type=Path, help="with --base: where the chart archives lie, if not in .charts")
    parser.add_argument("--json", action="store_true", help="print the changes as JSON")
    arguments = parser.parse_args()
    try:
        if arguments.base:
            return between(arguments.stack, arguments.base, arguments.charts or _charts(), _ROOT, arguments.json)
        return deployed(arguments.stack, dict(os.environ), _ROOT, arguments.json)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
