"""Make what a live cluster runs, programs and images, where this machine can have one: `python -m sandbox.images`."""

import sys

from sandbox.build import BuildError, ensure
from sandbox.images import catalogue
from sandbox.layout import Sandbox
from sandbox.live import machine
from sandbox.processes import SandboxError


def main() -> int:
    """Make them. Returns 0, also where a live cluster is not possible here, or 1 where something failed."""
    if lacks := machine.check(Sandbox().directory):
        print(f"No live cluster here, so its images are not made: {'; '.join(lacks)}", file=sys.stderr)
        return 0
    if lacks := catalogue.lacks():
        print("The images cannot be made:\n" + "\n".join(f"  - {line}" for line in lacks), file=sys.stderr)
        return 1
    try:
        ensure(catalogue.programs())
        catalogue.ensure()
    except (BuildError, SandboxError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. Run the same again: what is made already is kept.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
