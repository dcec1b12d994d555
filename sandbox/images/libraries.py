"""The shared libraries of programs of this machine that go into an image."""

import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from sandbox.images.oci import Layer

# Where the loader looks by itself; what lies elsewhere on this machine goes into the last of them.
_SEARCHED = ("/lib", "/lib64", "/usr/lib")
# glibc loads it when a thread ends, without naming it.
_ENDS_THREADS = "libgcc_s.so.1"


def with_libraries(files: Mapping[str, Path]) -> dict[str, Path]:
    """Return `files` (the path in the image, the file of this machine) and the libraries that they load.

    Raises:
        FileNotFoundError: a file is not there, or a library that it names.
    """
    found: dict[str, Path] = {}
    for library in _loaded(_real(files.values())):
        found[_inside(library)] = library
        if library.name == "libc.so.6":
            ends_threads = library.with_name(_ENDS_THREADS)
            found[_inside(ends_threads)] = ends_threads
    return {**found, **files}


def add(layer: Layer, files: Mapping[str, Path]) -> None:
    """Add files by their path in the image."""
    for path, source in sorted(files.items()):
        layer.file(path, source)


def _real(files: Iterable[Path]) -> list[Path]:
    """Return the files that are programs or libraries: those that begin as ELF files do."""
    real = []
    for file in files:
        with file.open("rb") as content:
            if content.read(4) == b"\x7fELF":
                real.append(file)
    return real


def _loaded(files: list[Path]) -> set[Path]:
    answer = subprocess.run(["ldd", *files], capture_output=True, text=True, check=False).stdout
    libraries = set()
    for line in answer.splitlines():
        if not line.startswith("\t"):
            continue
        if line.endswith("not found"):
            raise FileNotFoundError(f"a library that an image needs is not on this machine: {line.strip()}")
        # "name => path (address)", "path (address)" for the loader, and "name (address)" for what the kernel maps.
        libraries |= {Path(word) for word in line.split() if word.startswith("/")}
    return libraries


def _inside(library: Path) -> str:
    if library.is_relative_to("/usr/local") or not str(library).startswith(_SEARCHED):
        return f"{_SEARCHED[-1]}/{library.name}"
    return str(library)
