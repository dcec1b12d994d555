"""The command of the sandbox, behind the Makefile's verbs: `up`, `live`, `preview`, `env`, `demo`, `down`."""

import argparse
import sys
from pathlib import Path

from operations.engine import EngineError
from operations.repair import RepairError
from sandbox import session
from sandbox.build import BuildError
from sandbox.clusters import MachineError
from sandbox.demo.faults import FAULTS
from sandbox.layout import Sandbox
from sandbox.processes import SandboxError

COMMANDS = {
    "up": "bring the simulated sandbox and a stack up, then show where everything answers",
    "live": "bring a sandbox whose containers run and a stack up, then show where everything answers",
    "preview": "show what `pulumi up` would change in a stack",
    "env": 'print the environment of a stack on the sandbox, for eval "$(make env)"',
    "demo": "show alerts reach people: real Prometheus and Alertmanager with the configuration of the stack that is up",
    "down": "remove the sandbox and the stacks on it; the caches stay",
}


def main() -> int:
    """Run one command. Returns its exit status, 1 where the sandbox fails, or 2 for a wrong machine."""
    parser = argparse.ArgumentParser(prog="make", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text)
        command.add_argument("--stack", default="local", help="the stack (default: local)")
        if name in ("up", "live", "preview"):
            command.add_argument("--charts", type=Path, help="a directory with chart archives, instead of stand-ins")
            command.add_argument("--json", action="store_true", help="print the table of URLs, or the changes, as JSON")
        if name == "env":
            command.add_argument(
                "--if-up", action="store_true", help="print nothing where the stack is not up on the sandbox"
            )
        if name == "demo":
            command.add_argument("--fault", choices=FAULTS, help="what goes wrong; without it, nothing does")
            command.add_argument("--speed", type=float, default=6, help="by which durations are divided (default: 6)")
    arguments = parser.parse_args()
    sandbox = Sandbox()
    try:
        match arguments.command:
            case "up" | "live" as command:
                return session.up(sandbox, arguments.stack, arguments.charts, arguments.json, live=command == "live")
            case "preview":
                return session.preview(sandbox, arguments.stack, arguments.charts, arguments.json)
            case "demo":
                from sandbox.demo.show import demo  # needs what only the development environment has

                return demo(sandbox, arguments.stack, arguments.fault, arguments.speed)
            case "down":
                return session.down(sandbox)
        if arguments.if_up and not session.is_up(sandbox, arguments.stack):
            return 0
        print(session.shell(sandbox, arguments.stack), end="")
        if arguments.if_up:
            text = f"Stack {arguments.stack} is on the sandbox: acting there, not on the cluster of your kubeconfig."
            print(text, file=sys.stderr)
    except MachineError as error:
        print(error, file=sys.stderr)
        return 2
    except (BuildError, EngineError, RepairError, SandboxError) as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Run the same command again: it goes on from here.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
