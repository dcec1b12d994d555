"""Builds the programs of the sandbox from the Go module proxy, once, into the cache.

`python -m sandbox.build [group…]` does it by hand, `python -m sandbox.build --list` shows what is there.
"""

import argparse
import fcntl
import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

from operations.cache import cache
from sandbox.artifacts import ARTIFACTS, Artifact
from sandbox.program_pins import GOARCH, GOOS, PROGRAMS, Group, Module, Program, of_groups
from sandbox.progress import Progress

# Compiled packages above this size, in bytes, are a tenth of all and fill nine tenths of the disk.
LARGE = 300_000

_running: set[subprocess.Popen[bytes]] = set()


class BuildError(Exception):
    """A program could not be built; the text is complete: what failed, why, what to do."""


def ensure(programs: Iterable[Program]) -> None:
    """Build those of the programs that are not in the cache yet, and take what they need out of their modules.

    Raises:
        BuildError: a module could not be fetched or a program not be compiled.

    """
    programs = list(programs)
    if not missing(programs):
        return
    with lock():
        if absent := missing(programs):
            _build(absent)
            shutil.rmtree(_folder())


def missing(programs: Iterable[Program]) -> list[Program]:
    """Return the programs that are not there, or that lack something of theirs."""
    return [
        program
        for program in programs
        if not program.path.exists() or not all(artifact.path.exists() for artifact in _artifacts(program))
    ]


def _artifacts(program: Program) -> list[Artifact]:
    return [artifact for artifact in ARTIFACTS if artifact.program is program]


def _folder() -> Path:
    """Return the folder of what is needed only while building; an interrupted build finds its work there."""
    return cache() / "build"


@contextmanager
def lock() -> Iterator[None]:
    """Keep a second run from building the same: it waits, and says so."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "build.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another run builds already; waiting for it.", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(programs: list[Program]) -> None:
    """Build the programs one after another, while what those of the next module need is being fetched."""
    by_module: dict[str, list[Program]] = {}
    for program in programs:
        by_module.setdefault(program.module.name, []).append(program)
    print(f"Programs to build, once, into {cache()}: {len(programs)}", file=sys.stderr, flush=True)
    progress = Progress(len(programs))
    with ThreadPoolExecutor(max_workers=1) as fetcher:
        fetching = [fetcher.submit(_fetch, group) for group in by_module.values()]
        try:
            for group, fetched in zip(by_module.values(), fetching, strict=True):
                for program in group:
                    progress.start(program.name)
                    while not wait([fetched], timeout=1).done:
                        progress.refresh("fetching ")
                    fetched.result()
                    _compile(program, progress)
                    _publish(program)
                    progress.end("built")
                _trim(group[0].module)
        except BaseException:
            progress.abandon()
            fetcher.shutdown(wait=False, cancel_futures=True)
            for process in _running:
                process.terminate()
            raise


def _fetch(group: list[Program]) -> None:
    """Fetch what the programs of one module are compiled from."""
    module = group[0].module
    work = _work(module)
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(module.folder, work)
    if module.incomplete:
        _complete(module, work)
    # A program that is there may still lack an artifact.
    if packages := [program.package for program in group if not program.path.exists()]:
        _go(module, ["list", "-deps", f"-tags={module.tags}", *packages])
    # They are unpacked by now, and a fifth of the modules' size.
    for archive in (_fetched(module) / "cache" / "download").rglob("*.zip"):
        archive.unlink()


def _complete(module: Module, work: Path) -> None:
    """Put the files that a published module lacks into a copy of it, and build from that copy."""
    source = work / "source"
    shutil.copytree(_source(module, module.incomplete), source)
    for lacked, same in module.copies.items():
        shutil.copyfile(source / same, source / lacked)
    for lacked, text in module.stubs.items():
        (source / lacked).parent.mkdir(parents=True, exist_ok=True)
        data = text.encode()
        (source / lacked).write_bytes(gzip.compress(data, mtime=0) if lacked.endswith(".gz") else data)
    _go(module, ["mod", "edit", f"-replace={module.incomplete}=./source"])


def _compile(program: Program, progress: Progress) -> None:
    def tell(packages: int) -> None:
        progress.refresh(f"{packages} packages compiled for ")

    if not program.path.exists():
        _go(program.module, ["build", "-v", "-o", str(_built(program)), *program.module.flags, program.package], tell)


def _publish(program: Program) -> None:
    """Move what is built to where it is used: each is there whole, or not at all."""
    for artifact in _artifacts(program):
        partial = _folder() / "partial"
        artifact.make(_source(program.module, artifact.go_module) / artifact.source, partial)
        artifact.path.parent.mkdir(parents=True, exist_ok=True)
        if artifact.path.is_dir():
            shutil.rmtree(artifact.path)
        partial.replace(artifact.path)
    if not program.path.exists():
        program.path.parent.mkdir(parents=True, exist_ok=True)
        _built(program).replace(program.path)


def _trim(module: Module) -> None:
    """Drop what the next modules hardly share, so that building takes less than 10 GB of disk."""
    # A program of the standard library alone fetches nothing.
    shutil.rmtree(_fetched(module), ignore_errors=True)
    for file in (_folder() / "go-build").rglob("*"):
        if file.stat().st_size > LARGE:
            file.unlink()


def _source(module: Module, go_module: str) -> Path:
    """Return the folder of a fetched Go module, at the version that go.mod pins and go.sum vouches for."""
    return Path(json.loads(_go(module, ["mod", "download", "-json", go_module]))["Dir"])


def _fetched(module: Module) -> Path:
    """Return the module cache of one module: some of it is fetched again for the next, all of it goes at once."""
    return _folder() / "modules" / module.name


def _work(module: Module) -> Path:
    return _folder() / "work" / module.name


def _built(program: Program) -> Path:
    return _folder() / f"{program.name}.built"


def _go(module: Module, arguments: list[str], tell: Callable[[int], None] | None = None) -> str:
    """Run go in the module and return what it printed; call `tell` each second with the number of lines in its log."""
    log = _folder() / f"{module.name}-{arguments[0]}.log"
    temporary = _folder() / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    # What the user sets for the network (GOPROXY, GONOSUMDB, …) holds; what decides the result does not.
    environment = os.environ | {
        "CGO_ENABLED": "0",
        "GOARCH": GOARCH,
        "GOCACHE": str(_folder() / "go-build"),
        "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false",
        # The compiler collects less garbage: an eighth faster, and with 0.5 GB at most still small.
        "GOGC": "400",
        "GOMODCACHE": str(_fetched(module)),
        "GOOS": GOOS,
        "GOTMPDIR": str(temporary),
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    answer = log.with_suffix(".out")
    with log.open("w") as errors, answer.open("w") as output:
        process = subprocess.Popen(["go", *arguments], cwd=_work(module), env=environment, stdout=output, stderr=errors)
        _running.add(process)
        try:
            while True:
                try:
                    status = process.wait(timeout=1)
                    break
                except subprocess.TimeoutExpired:
                    if tell:
                        tell(log.read_text().count("\n"))
        finally:
            process.terminate()
            process.wait()
            _running.discard(process)
    if status:
        # `go build -v` names each package on a line of its own: no part of what went wrong.
        said = [line for line in log.read_text().splitlines() if " " in line]
        raise BuildError(
            "\n".join(
                [
                    f"go {arguments[0]} failed for {module.name} (status {status}):",
                    *(f"    {line}" for line in said[-20:]),
                    f"All that it said: {log}",
                    "Run the same again once that is mended: what is compiled already is kept.",
                ]
            )
        )
    return answer.read_text()


def _list() -> None:
    for program in PROGRAMS:
        state = "present" if program.path.exists() else "missing"
        print(f"{program.group:<8} {program.name:<27} {program.version:<9} {state:<8} {program.path}")


def main() -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.build", description=__doc__)
    default = [Group.ENGINE, Group.CLUSTER]
    parser.add_argument("groups", nargs="*", type=Group, default=default, metavar="group", help=", ".join(Group))
    parser.add_argument("--list", action="store_true", help="show each program, its path and whether it is there")
    arguments = parser.parse_args()
    if arguments.list:
        _list()
        return 0
    try:
        ensure(of_groups(*arguments.groups))
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. Run the same again: what is compiled already is kept.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
