"""The control groups of a live cluster: one in each hierarchy of this machine, of either version."""

import contextlib
import os
import time
from pathlib import Path

from sandbox.processes import SandboxError

PATIENCE_SECONDS = 10
SHARES_OF_A_PROCESSOR = 1024


def hierarchies() -> list[tuple[Path, bool]]:
    """Return where each hierarchy is mounted, and whether it is of version 2."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [(Path(fields[1]), fields[2] == "cgroup2") for fields in mounts if fields[2] in ("cgroup", "cgroup2")]


def create(name: str) -> None:
    """Make the group `name` in every hierarchy, with the processors and memory that the machine has."""
    found = hierarchies()
    is_unified = all(unified for _, unified in found)
    for mount, unified in found:
        group = mount / name
        group.mkdir(exist_ok=True)
        if unified and is_unified:
            handed_on = (mount / "cgroup.subtree_control").read_text().split()
            for controller in (mount / "cgroup.controllers").read_text().split():
                if controller not in handed_on:
                    (mount / "cgroup.subtree_control").write_text(f"+{controller}")
        elif (mount / "cpuset.cpus").exists():
            # An empty set takes no process: https://docs.kernel.org/admin-guide/cgroup-v1/cpusets.html.
            for file in ("cpuset.cpus", "cpuset.mems"):
                (group / file).write_text((mount / file).read_text())
        if (mount / "cpu.shares").exists():
            # What a kubelet gives its pods, beside the other processes of the machine: each has a weight of its own.
            (group / "cpu.shares").write_text(str(SHARES_OF_A_PROCESSOR * (os.cpu_count() or 1)))


def remove(name: str) -> None:
    """Remove the group `name` with all below it from every hierarchy; its processes must have been killed.

    Raises:
        SandboxError: a process in it does not end.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while left := [mount / name for mount, _ in hierarchies() if (mount / name).exists()]:
        for group in left:
            for folder, _, _ in os.walk(group, topdown=False):
                # Busy for as long as the kernel has not ended the last process in it.
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()
        if time.monotonic() > deadline:
            raise SandboxError(f"processes of the live cluster do not end; see which: cat {left[0]}/cgroup.procs")
        time.sleep(0.1)
