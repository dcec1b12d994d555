"""Names everything that this machine lacks for the sandbox before anything is built or started."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from operations.cache import cache
from sandbox.program_pins import GOARCH, GOOS, MODULES

BUILD_DISK = 10_000_000_000
MEMORY = 4_000_000_000


def check(ports: Mapping[str, int], need_build: bool, memory: int = MEMORY) -> list[str]:
    """Return what is missing, a line each with its remedy; empty if nothing is.

    `ports` maps what will listen on a port of 127.0.0.1 to the port; `memory` is what the machine must have, in bytes.
    Go and the disk matter only if `need_build`.
    """
    missing = [_memory(memory), *_ports(ports)]
    if need_build:
        missing = [_go(), _disk(), *missing]
    return [line for line in missing if line]


def redis() -> list[str]:
    """Return what is missing for the demo's application, as `check` does."""
    return (
        []
        if shutil.which("redis-server")
        else ["redis-server is not on PATH; install it: apt-get install redis-server"]
    )


def _go() -> str:
    needed = max(_go_version(file.read_text()) for file in MODULES.glob("*/go.mod"))
    name = ".".join(map(str, needed))
    archive = f"https://go.dev/dl/go{name}.{GOOS}-{GOARCH}.tar.gz"
    install = f"install it: curl -fsSL {archive} | sudo tar -C /usr/local -xz && export PATH=/usr/local/go/bin:$PATH"
    if shutil.which("go") is None:
        return f"go is not on PATH, at least {name} is needed; {install}"
    # Another toolchain that go would fetch for this folder is not what builds the programs.
    environment = os.environ | {"GOTOOLCHAIN": "local"}
    answer = subprocess.run(
        ["go", "env", "GOVERSION"], capture_output=True, text=True, check=False, env=environment
    ).stdout.strip()
    if _go_version(answer) < needed:
        return f"go is {answer.removeprefix('go') or 'broken'}, at least {name} is needed; {install}"
    return ""


def _go_version(text: str) -> tuple[int, ...]:
    """Return the Go version of a go.mod or of what go says of itself; () if there is none."""
    version = re.search(r"^go ?(\d+(?:\.\d+)*)", text, re.MULTILINE)
    return tuple(int(part) for part in version[1].split(".")) if version else ()


def _disk() -> str:
    takes = f"building takes {_gigabytes(BUILD_DISK)} (2 GB of it to stay)"
    return disk(cache(), BUILD_DISK, takes, "free some, or build elsewhere: export MANGAKAI_CACHE=<folder>")


def disk(folder: Path, needed: int, takes: str, remedy: str) -> str:
    """Return what to say where less than `needed` bytes are free in a folder, there already or not; else ""."""
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    return "" if free >= needed else f"disk: {_gigabytes(free)} free in {there}, {takes}; {remedy}"


def _memory(needed: int) -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if memory >= needed:
        return ""
    return f"memory: {_gigabytes(memory)}, at least {_gigabytes(needed)} is needed; use a larger machine"


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def _ports(ports: Mapping[str, int]) -> Iterable[str]:
    for user, port in ports.items():
        with socket.socket() as probe:
            # Connections of a server that has just ended do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                yield f"port {port}, meant for {user}, is taken; see by whom: lsof -nP -iTCP:{port} -sTCP:LISTEN"
