"""Measures a whole process: seconds, and the memory of all that it starts."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.processes import SandboxError

_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Figure:
    """A figure: the runs' median and maximum in seconds, and the peak of their memory in MiB."""

    name: str
    runs: int
    median: float
    slowest: float
    memory: float


def measure(name: str, runs: int, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Figure:
    """Run a command several times.

    Raises:
        SandboxError: it failed; with what it said.
    """
    seconds, peak = [], 0.0
    for _ in range(runs):
        took, memory = _run(command, environment, folder)
        seconds.append(took)
        peak = max(peak, memory)
    figure = Figure(name, runs, statistics.median(seconds), max(seconds), peak)
    print(line(figure), file=sys.stderr, flush=True)
    return figure


def line(figure: Figure) -> str:
    """Return a figure for people."""
    slowest = f"slowest {figure.slowest:.1f} s" if figure.runs > 1 else ""
    return f"{figure.name:46} {figure.median:6.1f} s  {figure.memory:6.0f} MiB  {figure.runs} x  {slowest}"


def _run(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> tuple[float, float]:
    """Run a command, and return its seconds and the peak of the memory of all processes of its session in MiB."""
    began, peak = time.monotonic(), 0.0
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=said, stderr=said, start_new_session=True
        )
        while process.poll() is None:
            peak = max(peak, _memory(process.pid))
            time.sleep(0.05)
        took = time.monotonic() - began
        if process.returncode:
            said.seek(0)
            raise SandboxError(f"`{' '.join(command[:3])}` failed:\n{said.read().decode(errors='replace')[-4000:]}")
    return took, peak


def _memory(session: int) -> float:
    """Return how much the processes of a session hold in MiB, as Linux counts it; 0 elsewhere."""
    pages = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if int(fields[3]) == session:
            pages += int(fields[21])
    return pages * _PAGE / 2**20
