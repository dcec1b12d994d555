"""The cluster of a sandbox, simulated or live: which one is there, started, asked, removed."""

from components.foundation.web_interfaces import WEB_INTERFACES
from sandbox import cluster as simulated
from sandbox import operators, preflight, processes
from sandbox.build import ensure, missing
from sandbox.environment import install
from sandbox.images import catalogue
from sandbox.layout import Sandbox
from sandbox.live import cluster as live
from sandbox.live import machine
from sandbox.live.layout import NODE, Live
from sandbox.processes import SandboxError
from sandbox.program_pins import Group, Program, of_groups


class MachineError(Exception):
    """This machine lacks something; the message lists all of it, with the lines that install it."""


def is_live(sandbox: Sandbox) -> bool:
    """Return whether the cluster that is there, running or not, is a live one."""
    return Live(sandbox).directory.exists()


def is_running(sandbox: Sandbox) -> bool:
    """Return whether every server runs and the API server is ready."""
    return live.is_running(sandbox) if is_live(sandbox) else simulated.is_running(sandbox)


def start(sandbox: Sandbox, want_live: bool | None = None) -> None:
    """Build what is missing, and start the cluster that is asked for: where None is, the one that is there.

    Raises:
        MachineError: naming everything that the machine lacks.
        BuildError, SandboxError: the build or the start failed, or the other cluster is there.
    """
    if want_live is None:
        want_live = is_live(sandbox)
    elif want_live and sandbox.kwok.exists():
        raise SandboxError("the simulated cluster is there, whose place the live one would take: make down first")
    elif not want_live and is_live(sandbox):
        raise SandboxError("the live cluster is there, whose place the simulated one would take: make down first")
    if want_live:
        _start_live(sandbox)
    else:
        _start_simulated(sandbox)


def remove(sandbox: Sandbox) -> None:
    """End every process of the sandbox and remove everything that it made, but the caches."""
    if is_live(sandbox):
        live.remove(sandbox)
    else:
        simulated.remove(sandbox)


def _start_simulated(sandbox: Sandbox) -> None:
    programs = of_groups(Group.ENGINE, Group.CLUSTER)
    _check_machine(sandbox, sandbox.ports._asdict(), programs, preflight.MEMORY, [])
    ensure(programs)
    if simulated.start(sandbox):
        print(f"The cluster runs: 3 simulated nodes, API server {sandbox.server}")
    install(sandbox)
    operators.start(sandbox)


def _start_live(sandbox: Sandbox) -> None:
    ports = {"the API server": sandbox.ports.api_server}
    ports |= {name: interface.port for name, interface in WEB_INTERFACES.items()}
    programs = [*of_groups(Group.ENGINE), *catalogue.programs()]
    room = [] if processes.running(sandbox) else machine.room(sandbox.directory)
    lacks = [*machine.check(sandbox.directory), *catalogue.lacks(), *room]
    _check_machine(sandbox, ports, programs, machine.MEMORY, lacks)
    ensure(programs)
    images = catalogue.ensure()
    if live.start(sandbox, images):
        print(f"The cluster runs: node {NODE}, whose containers run, API server {sandbox.server}")
    install(sandbox)


def _check_machine(
    sandbox: Sandbox, ports: dict[str, int], programs: list[Program], memory: int, lacks: list[str]
) -> None:
    """Raise MachineError if something is missing; the ports are the sandbox's own where it runs."""
    free = {} if processes.running(sandbox) else ports
    lacks = [*lacks, *preflight.check(free, need_build=bool(missing(programs)), memory=memory)]
    if lacks:
        raise MachineError("this machine is not ready:\n" + "\n".join(f"  - {line}" for line in lacks))
