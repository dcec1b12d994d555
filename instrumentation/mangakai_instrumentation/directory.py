"""The directory in which processes count together: as small as what lives in it, and harmless where it is full."""

import contextlib
import fcntl
import logging
import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from prometheus_client.mmap_dict import _INITIAL_MMAP_SIZE, MmapedDict

# What stands for the process in the names of the files in which those of dead ones are merged.
_DEAD = "dead"
_COUNTED = ("counter", "histogram", "summary")
# Of a value besides its name: a length, a value, a time, and what is filled up.
_VALUE_BYTES = 32
_THREADS = Lock()
_LOGGER = logging.getLogger(__name__)


class Allocated(MmapedDict):
    """A file of values that has its place on the disk: to write where there is none would kill the process (SIGBUS).

    Where the directory is full, the values are in memory, and no page shows them.
    """

    is_full = False

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        try:
            with open(filename, "ab") as file:
                os.posix_fallocate(file.fileno(), 0, max(_INITIAL_MMAP_SIZE, file.tell()))
        except OSError as error:
            with contextlib.suppress(OSError):
                if not os.path.getsize(filename):
                    os.unlink(filename)
            _tell(error)
            with _memory() as memory:
                super().__init__(f"/proc/self/fd/{memory.fileno()}", read_mode)  # type: ignore[no-untyped-call]
            return
        super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]

    def reserve(self, size: int) -> None:
        """Take the place of so many bytes more. Raises OSError where there is none."""
        capacity = self._capacity
        while self._used + size > capacity:
            capacity *= 2
        if capacity > self._capacity:
            os.posix_fallocate(self._f.fileno(), 0, capacity)

    def _init_value(self, key: str) -> None:
        try:
            self.reserve(len(key.encode()) + _VALUE_BYTES)
        except OSError as error:
            _tell(error)
            memory = _memory()
            memory.write(self._m[: self._capacity])
            memory.flush()
            self._f, self._m = memory, mmap.mmap(memory.fileno(), self._capacity)
        super()._init_value(key)  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Let nobody else read or tidy the directory meanwhile."""
    # Of a process, so that none that is forked meanwhile keeps it; its threads have one of their own.
    with _THREADS, (directory / "lock").open("ab") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        yield


def tidy(directory: Path) -> None:
    """Keep of dead processes what they counted, in one file of a kind, and nothing of what they held."""
    for file in directory.glob("*.db"):
        kind, _, owner = file.stem.rpartition("_")
        if owner == _DEAD or _is_alive(int(owner.partition("-")[0])):
            continue
        if kind.startswith("gauge_live"):
            file.unlink()
        elif kind in _COUNTED:
            _merge(file, directory / f"{kind}_{_DEAD}.db")


def _merge(file: Path, into: Path) -> None:
    if not into.exists():
        file.rename(into)
        return
    counted = [(key, value) for key, value, *_ in MmapedDict.read_all_values_from_file(file)]
    total = Allocated(str(into))
    try:
        total.reserve(sum(len(key.encode()) + _VALUE_BYTES for key, _ in counted if key not in total._positions))
    except OSError:
        return
    for key, value in counted:
        total.write_value(key, total.read_value(key)[0] + value, 0)
    file.unlink()


def _memory() -> BinaryIO:
    return os.fdopen(os.memfd_create("metrics"), "w+b")


def _tell(error: OSError) -> None:
    Allocated.is_full = True
    _LOGGER.error("What process %s counts is not shown: PROMETHEUS_MULTIPROC_DIR has no room (%s)", os.getpid(), error)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
