"""An ingest node that runs the filters: OpenSearch on 127.0.0.1, as those of Elasticsearch are in no registry.

`python -m tests.logs.opensearch` fetches its jars into the cache, once, by Maven.
"""

import contextlib
import hashlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operations.cache import cache
from sandbox.progress import Progress

HERE = Path(__file__).parent
MINIMUM_JAVA = 21
FOLDERS_OF_JDKS = [(Path("/usr/lib/jvm"), "*"), (Path("/Library/Java/JavaVirtualMachines"), "*/Contents/Home")]
HEAP = "-Xmx512m"
START_SECONDS, STOP_SECONDS, REQUEST_SECONDS = 120, 20, 60
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


class OpenSearchError(Exception):
    """There is no node; the text says what is missing or what it said."""


def jars() -> Path:
    """Return the folder of the jars that pom.xml pins."""
    key = hashlib.sha256((HERE / "pom.xml").read_bytes()).hexdigest()[:8]
    return cache() / f"opensearch-3.3.0.0-{key}"


def fetch() -> None:
    """Fetch the jars if they are not in the cache.

    Raises:
        OpenSearchError: there is no Maven, or it failed.

    """
    if jars().is_dir():
        return
    if shutil.which("mvn") is None:
        raise OpenSearchError("mvn, which fetches OpenSearch for tests/logs, is not on PATH: apt-get install maven")
    cache().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        work = Path(folder)
        _copy_dependencies(work)
        # Another run may have been faster.
        with contextlib.suppress(OSError):
            (work / "jars").rename(jars())


def _copy_dependencies(work: Path) -> None:
    """Run Maven with a repository of its own: what is not needed afterwards goes with it."""
    options = [f"-Dmaven.repo.local={work / 'repository'}", f"-DoutputDirectory={work / 'jars'}"]
    command = ["mvn", "-B", "-q", "-C", "-f", str(HERE / "pom.xml"), *options, "-DincludeScope=runtime", COPY]
    progress = Progress(1)
    progress.start("OpenSearch, from Maven Central")
    with (work / "log").open("w+") as log, subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT) as maven:
        try:
            while maven.poll() is None:
                time.sleep(0.5)
                progress.refresh(f"{len(list((work / 'repository').rglob('*.jar')))} files of ")
        except BaseException:
            maven.terminate()
            progress.abandon()
            raise
        if maven.returncode:
            progress.abandon()
            raise OpenSearchError(f"mvn could not fetch OpenSearch:\n{_end_of(work / 'log')}")
    progress.end(f"{len(list((work / 'jars').iterdir()))} jars fetched")


def java() -> Path:
    """Return the program of a JDK that is new enough.

    Raises:
        OpenSearchError: there is none; it says what was found, and how to install one.

    """
    homes = [Path(home) for home in [os.environ.get("JAVA_HOME")] if home]
    homes += [Path(found).resolve().parent.parent for found in [shutil.which("java")] if found]
    homes += [home for folder, homes_in in FOLDERS_OF_JDKS for home in sorted(folder.glob(homes_in), reverse=True)]
    found = {home: _version(home) for home in dict.fromkeys(homes) if (home / "bin" / "javac").exists()}
    for home, version in found.items():
        if version >= MINIMUM_JAVA:
            return home / "bin" / "java"
    said = ", ".join(f"{version} in {home}" for home, version in found.items()) or "none"
    raise OpenSearchError(
        f"OpenSearch for tests/logs needs a JDK of {MINIMUM_JAVA} or newer, found: {said}. Install one "
        f"(apt-get install openjdk-{MINIMUM_JAVA}-jdk-headless, or https://adoptium.net) or set JAVA_HOME"
    )


def _version(home: Path) -> int:
    answer = subprocess.run([home / "bin" / "java", "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(\d+)', answer.stderr)
    return int(version[1]) if version else 0


@dataclass(frozen=True)
class Node:
    """A node that answers."""

    port: int
    started_in: float

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def call(self, method: str, path: str, content: object = None) -> tuple[int, Any]:
        """Send a request and return status and answer; a list is sent as lines of JSON, as `_bulk` wants it."""
        if isinstance(content, list):
            body, kind = "".join(json.dumps(each) + "\n" for each in content), "application/x-ndjson"
        else:
            body, kind = json.dumps(content) if content is not None else "", "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=REQUEST_SECONDS)
        with contextlib.closing(connection):
            connection.request(method, path, body.encode(), {"Content-Type": kind})
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")

    def ask(self, method: str, path: str, content: object = None) -> Any:
        """Send a request that succeeds, and return the answer."""
        status, answer = self.call(method, path, content)
        assert status < 300, f"{method} {path}: {status}: {json.dumps(answer, indent=2)[:4000]}"
        return answer


@contextlib.contextmanager
def running(folder: Path, port: int | None = None) -> Iterator[Node]:
    """Run a node whose data and log lie in `folder`, on a port of 9201 to 9299: the first free one if none is given."""
    fetch()
    began, log = time.monotonic(), folder / "node.log"
    port = port or _free_port()
    options = [HEAP, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Djava.io.tmpdir={folder}", "-cp", f"{jars()}/*"]
    command = [str(java()), *options, str(HERE / "Main.java"), str(folder / "node"), str(port)]
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=output, stderr=output)
        try:
            _wait(process, port, log)
            yield Node(port, time.monotonic() - began)
        finally:
            assert process.stdin
            process.stdin.close()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    node, deadline = Node(port, 0), time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise OpenSearchError(f"OpenSearch ended with status {process.returncode}:\n{_end_of(log)}")
        with contextlib.suppress(OSError, http.client.HTTPException):
            if node.call("GET", "/_cluster/health?wait_for_status=yellow&timeout=5s")[0] == 200:
                return
        time.sleep(0.2)
    raise OpenSearchError(f"OpenSearch does not answer on port {port} after {START_SECONDS} s:\n{_end_of(log)}")


def _free_port() -> int:
    """Return a port of those that the runner looks through."""
    for port in range(9201, 9300):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OpenSearchError("no port from 9201 to 9299 is free on 127.0.0.1")


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-30:])


def main() -> int:
    """Fetch the jars and see to a Java; return the exit status."""
    try:
        fetch()
        java()
    except OpenSearchError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
