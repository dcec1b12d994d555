"""One demo at a time on a sandbox, and none that leaves something behind."""

import fcntl
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox import processes
from sandbox.layout import Sandbox
from sandbox.processes import SandboxError


@contextmanager
def alone(sandbox: Sandbox) -> Iterator[Path]:
    """Yield the folder of the demo, which is empty: what a killed one left is ended and removed first.

    SIGTERM ends the demo as Ctrl-C does.

    Raises:
        SandboxError: another demo runs.
    """
    folder = sandbox.directory / "demo"
    # The system releases the lock of whoever is killed.
    with (sandbox.directory / "demo.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise SandboxError(f"a demo runs already, process {lock.read()}: end it first") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        processes.stop_below(folder)
        shutil.rmtree(folder, ignore_errors=True)
        before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        try:
            yield folder
        finally:
            signal.signal(signal.SIGTERM, before)
