"""The image with CPython, which this program's own Jobs and agents run in, made of an interpreter of this machine."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from components.foundation import backup_target, set_up_job
from sandbox.images import libraries
from sandbox.images.oci import Image, Layer

_SHELL = ("sh", "cat", "cp", "id", "ls", "sleep")
# Of the standard library, what needs a screen or a compiler, or is there to test or to install it.
_LEFT_OUT = {"__pycache__", "dist-packages", "ensurepip", "idlelib", "lib2to3", "site-packages", "test", "tests"}
_LEFT_OUT |= {"tkinter", "turtledemo"}
_LEFT_OUT_FILES = re.compile(r"_tkinter\.|_test|_xxtest|xxlimited|turtle\.py|.*\.a$")
_ASK = """
import json, os, sys, sysconfig
print(json.dumps([sys.version.split()[0], os.path.realpath(sys.executable), sysconfig.get_path("stdlib")]))
"""


@dataclass(frozen=True)
class Interpreter:
    """A CPython of this machine: its version, its program, and the folder of its standard library."""

    version: str
    program: Path
    standard_library: Path

    @property
    def name(self) -> str:
        """The name of program and library, such as python3.13."""
        return "python" + ".".join(self.version.split(".")[:2])


def image() -> Image:
    """Return the image under each name that the program gives it.

    Its interpreter is one of the version that the name asks for, patch level aside, where this machine has one.
    """
    found = interpreter()

    def fill(layer: Layer) -> None:
        layer.system()
        libraries.add(layer, libraries.with_libraries(files(found)))
        link(layer, found)
        layer.busybox(*_SHELL)

    return Image(
        names=tuple(f"docker.io/library/{name}" for name in sorted(_references())),
        content=content(),
        fill=fill,
        command=("python3",),
        environment={"PATH": "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"},
    )


def content() -> tuple[str, ...]:
    """Return what decides which files are added: the interpreter."""
    found = interpreter()
    return found.version, str(found.program)


@cache
def interpreter() -> Interpreter:
    """Return the interpreter for images: of the wanted version, or else the one that runs this."""
    wanted = ".".join(min(_references()).partition(":")[2].split(".")[:2])
    for candidate in (*_candidates(f"python{wanted}"), sys.executable):
        answer = subprocess.run([candidate, "-I", "-c", _ASK], capture_output=True, text=True, check=False)
        # What pyenv puts on the PATH is there, and fails, for versions that are installed but not chosen.
        if answer.returncode == 0:
            version, program, library = json.loads(answer.stdout)
            return Interpreter(version, Path(program), Path(library))
    raise FileNotFoundError(f"{sys.executable} does not say where its standard library is: {answer.stderr}")


def files(found: Interpreter) -> dict[str, Path]:
    """Return the interpreter and its standard library, by their path in an image; it finds them from where it lies."""
    paths = {f"/usr/local/bin/{found.name}": found.program}
    for folder, folders, names in os.walk(found.standard_library):
        folders[:] = [name for name in folders if name not in _LEFT_OUT and not name.startswith("config-")]
        for name in names:
            file = Path(folder, name)
            if not _LEFT_OUT_FILES.match(name) and file.exists():
                paths[f"/usr/local/lib/{found.name}/{file.relative_to(found.standard_library)}"] = file
    return paths


def link(layer: Layer, found: Interpreter) -> None:
    """Add the names `python` and `python3` of the interpreter."""
    for name in ("python", "python3"):
        layer.link(f"/usr/local/bin/{name}", found.name)


def _references() -> set[str]:
    return {backup_target.IMAGE, set_up_job.IMAGE}


def _candidates(name: str) -> Iterator[str]:
    if on_path := shutil.which(name):
        yield on_path
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(map(str, pyenv.glob(f"versions/*/bin/{name}")), reverse=True)
