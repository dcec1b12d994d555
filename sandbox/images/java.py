"""What an image of a Java program is made of: a pom.xml's jars, classes compiled here, and a runtime of the JDK."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from operations.cache import cache
from sandbox.processes import SandboxError, run

MINIMUM_JAVA = 25
JDKS = Path("/usr/lib/jvm")
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


def jars(name: str, pom: Path) -> Path:
    """Return a folder of the cache with the jars that a pom.xml pins, fetched if they are not there.

    Raises:
        SandboxError: there is no Maven, or it failed.

    """

    def fetch(work: Path) -> Path:
        if shutil.which("mvn") is None:
            raise SandboxError(f"mvn, which fetches {name}, is not on PATH: apt-get install maven")
        _say(f"fetching the jars of {name} by Maven")
        # With a repository of its own: what is not needed afterwards goes with it.
        folders = [f"-Dmaven.repo.local={work / 'repository'}", f"-DoutputDirectory={work / 'jars'}"]
        options = ["-B", "-q", "-C", "-Dstyle.color=never", "-DincludeScope=runtime", *folders]
        # It says on standard output what it misses.
        done = subprocess.run(["mvn", COPY, "-f", str(pom), *options], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = "\n".join((done.stdout + done.stderr).strip().splitlines()[:10])
            raise SandboxError(f"mvn cannot fetch the jars of {name}; see whether it reaches its registry:\n{said}")
        return work / "jars"

    return _kept(f"{name}-jars", pom.read_text(), fetch)


def compiled(sources: Iterable[Path], class_path: Path, target: Path) -> None:
    """Compile folders of sources against a folder of jars into `target`; files that are no sources are copied.

    Raises:
        SandboxError: there is no JDK that is new enough, or it found an error.

    """
    files = []
    for folder in sources:
        shutil.copytree(folder, target, ignore=shutil.ignore_patterns("*.java"), dirs_exist_ok=True)
        files += [str(file) for file in sorted(folder.rglob("*.java"))]
    run([str(jdk() / "bin" / "javac"), "-nowarn", "-Xlint:none", "-d", str(target), "-cp", f"{class_path}/*", *files])


def runtime(modules: Iterable[str]) -> Path:
    """Return a folder of the cache with a Java runtime that has these modules of the JDK.

    Raises:
        SandboxError: there is no JDK that is new enough, or it lacks a module.

    """
    home = jdk()
    wanted = ",".join(modules)

    def link(work: Path) -> Path:
        _say("making a Java runtime by jlink")
        trimmed = ["--strip-java-debug-attributes", "--no-man-pages", "--no-header-files", "--compress=zip-1"]
        run([str(home / "bin" / "jlink"), "--add-modules", wanted, *trimmed, "--output", str(work / "runtime")])
        return work / "runtime"

    return _kept("java-runtime", wanted + (home / "release").read_text(), link)


def jdk() -> Path:
    """Return the folder of a JDK that is new enough.

    Raises:
        SandboxError: there is none; it says what was found, and how to install one.

    """
    names = (
        f"JAVA_HOME_{MINIMUM_JAVA}",
        f"JAVA_HOME_{MINIMUM_JAVA}_X64",
        f"JAVA_HOME_{MINIMUM_JAVA}_ARM64",
        "JAVA_HOME",
    )
    homes = [Path(home) for home in map(os.environ.get, names) if home]
    homes += [Path(found).resolve().parent.parent for found in [shutil.which("javac")] if found]
    homes += sorted(JDKS.glob("*"), reverse=True)
    found = {home: _version(home) for home in dict.fromkeys(homes) if (home / "bin" / "jlink").exists()}
    for home, version in found.items():
        if version >= MINIMUM_JAVA:
            return home
    said = ", ".join(f"{version} in {home}" for home, version in found.items()) or "none"
    raise SandboxError(
        f"a JDK of {MINIMUM_JAVA} or newer is needed, found: {said}. Install one (apt-get install "
        f"openjdk-{MINIMUM_JAVA}-jdk-headless, or https://adoptium.net) or set JAVA_HOME_{MINIMUM_JAVA}"
    )


def _version(home: Path) -> int:
    release = home / "release"
    version = re.search(r'^JAVA_VERSION="(\d+)', release.read_text(), re.MULTILINE) if release.exists() else None
    return int(version[1]) if version else 0


def _kept(name: str, content: str, make: Callable[[Path], Path]) -> Path:
    """Return a folder of the cache that `make` returned, once for the same content: whole, or not there.

    `make` is given a folder to work in, which is removed. What was kept for another content goes, too.
    """
    folder = cache() / "image-parts" / f"{name}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"
    if folder.exists():
        return folder
    work = folder.parent / f"{name}.work"
    # An interrupted run may have left it.
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        made = make(work)
        for old in folder.parent.glob(f"{name}-????????"):
            shutil.rmtree(old)
        made.replace(folder)
    finally:
        shutil.rmtree(work)
    return folder


def _say(step: str) -> None:
    """Say on stderr what takes more than a few seconds, in the place of a line that tells the progress of all."""
    erase = "\r\033[K" if sys.stderr.isatty() else ""
    print(f"{erase}{step} …", file=sys.stderr, flush=True)
