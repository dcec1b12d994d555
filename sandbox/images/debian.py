"""Packages of Debian, whose files go into an image."""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from sandbox.processes import SandboxError, run


def unpack(packages: Iterable[str], target: Path) -> None:
    """Fetch packages and unpack them below `target`, a folder that is not there yet; none is installed.

    Raises:
        SandboxError: there is no apt-get, or it cannot fetch a package.

    """
    names = list(packages)
    if shutil.which("apt-get") is None:
        raise SandboxError(
            f"apt-get, which fetches {', '.join(names)} for an image, is not on PATH: use a Debian machine"
        )
    target.mkdir()
    command = ["apt-get", "download", *names]
    done = subprocess.run(command, cwd=target, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SandboxError(
            f"`{' '.join(command)}` failed; run `apt-get update`, then the same again: {done.stderr.strip()}"
        )
    for file in sorted(target.glob("*.deb")):
        run(["dpkg", "-x", str(file), str(target)])
        file.unlink()
