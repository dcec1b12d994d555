"""Whether a process of this machine runs, on Linux and on macOS."""

import os
import subprocess
from pathlib import Path

# Linux, where `ps` may be missing; elsewhere it is there.
_PROC = Path("/proc")


def is_alive(pid: int) -> bool:
    """Return whether a process runs, in doubt yes; one that has ended, and that its parent has not reaped, does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    return not _state(pid).startswith("Z")


def _state(pid: int) -> str:
    """Return the state of a process in the letters of `ps`, "" where nothing tells it."""
    if _PROC.is_dir():
        try:
            # After the program's name, in which anything may stand.
            return (_PROC / str(pid) / "stat").read_text().rpartition(") ")[2]
        except OSError:
            return ""
    try:
        return subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return ""
