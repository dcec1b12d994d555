"""The real Elasticsearch with X-Pack's security on 127.0.0.1: the jars and classes of the live cluster's image."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bcrypt

from components.foundation.certificate import self_signed
from sandbox.images import java
from sandbox.images.elasticsearch import FOLDER, Release
from sandbox.processes import SandboxError

START_SECONDS, STOP_SECONDS, REQUEST_SECONDS = 300, 20, 60
# As in the image's elasticsearch.sh, with a heap for a few documents.
OPTIONS = [
    "-Xms512m",
    "-Xmx512m",
    "-XX:+UseG1GC",
    "-XX:TieredStopAtLevel=1",
    "--add-modules=jdk.net",
    "--enable-native-access=ALL-UNNAMED",
    "-Dorg.elasticsearch.nativeaccess.enableVectorLibrary=false",
    "-Dio.netty.noUnsafe=true",
    "-Dlog4j2.disable.jmx=true",
    "-Dlog4j.shutdownHookEnabled=false",
]
# Users are of the file realm alone, as Elastic's operator configures it.
CONFIGURATION = """\
cluster.name: test
discovery.type: single-node
network.host: 127.0.0.1
node.store.allow_mmap: false
xpack.security.enabled: true
# It does not start without, though there is no other node.
xpack.security.transport.ssl.enabled: true
xpack.security.transport.ssl.certificate: tls.crt
xpack.security.transport.ssl.key: tls.key
xpack.security.transport.ssl.certificate_authorities: tls.crt
xpack.security.authc.reserved_realm.enabled: false
xpack.security.authc.realms.file.file1.order: 0
"""


@dataclass(frozen=True)
class Login:
    """A user of the file realm."""

    name: str
    password: str
    role: str


@dataclass(frozen=True)
class Node:
    """A node that answers."""

    port: int
    logins: Mapping[str, Login]

    def call(self, user: str, method: str, path: str, content: object = None) -> tuple[int, Any]:
        """Send a request as a user and return status and answer; a list is sent as lines of JSON."""
        lines = isinstance(content, list)
        body = "".join(json.dumps(line) + "\n" for line in content) if isinstance(content, list) else ""
        if not lines and content is not None:
            body = json.dumps(content)
        login = b64encode(f"{user}:{self.logins[user].password}".encode()).decode()
        kind = "application/x-ndjson" if lines else "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=REQUEST_SECONDS)
        with contextlib.closing(connection):
            connection.request(method, path, body, {"Content-Type": kind, "Authorization": f"Basic {login}"})
            response = connection.getresponse()
            text = response.read()
        with contextlib.suppress(ValueError):
            return response.status, json.loads(text)
        return response.status, text.decode()

    def ask(self, user: str, method: str, path: str, content: object = None) -> Any:
        """Send a request that succeeds, and return the answer."""
        status, answer = self.call(user, method, path, content)
        assert status < 300, f"{user}: {method} {path}: {status}: {json.dumps(answer)[:2000]}"
        return answer


def prepared(classes: Path) -> list[str]:
    """Return the command line of Java that runs the node, once its jars are there and its classes compiled.

    Raises:
        SandboxError: a JDK, Maven or a library is missing; it says how to install it.
    """
    release = Release(9)
    jars = java.jars(f"elasticsearch-{release.major}", release.pom)
    java.compiled(release.sources, jars, classes)
    if not _zstd():
        raise SandboxError("libzstd.so.1, which compresses indices, is not in /usr/lib: apt-get install libzstd1")
    print(f"\nElasticsearch {release.version}")
    return [str(java.jdk() / "bin" / "java"), *OPTIONS, "-cp", f"{classes}:{jars}/*"]


def _zstd() -> list[Path]:
    return sorted(Path("/usr/lib").glob("**/libzstd.so.1"))


@contextlib.contextmanager
def running(program: list[str], folder: Path, roles: str, logins: list[Login]) -> Iterator[Node]:
    """Run a node of the logs' version.

    Args:
        program: what `prepared` returned.
        folder: an empty one, for its files.
        roles: roles.yml.
        logins: who may log in.
    """
    port, transport = _free_ports(2)
    _configure(folder, roles, logins, f"http.port: {port}\ntransport.port: {transport}\n")
    node, began = Node(port, {login.name: login for login in logins}), time.monotonic()
    log = folder / "node.log"
    with log.open("w") as output:
        process = subprocess.Popen(_command(program, folder), cwd=folder, stdout=output, stderr=output)
        try:
            _wait(process, node, log)
            print(f"answers after {time.monotonic() - began:.1f} s")
            yield node
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _configure(folder: Path, roles: str, logins: list[Login], ports: str) -> None:
    configuration, libraries = folder / "config", folder / "lib"
    configuration.mkdir()
    libraries.mkdir()
    (configuration / "elasticsearch.yml").write_text(CONFIGURATION + ports)
    (configuration / "roles.yml").write_text(roles)
    hashes = {each.name: bcrypt.hashpw(each.password.encode(), bcrypt.gensalt(4, b"2a")).decode() for each in logins}
    (configuration / "users").write_text("".join(f"{name}:{hashed}\n" for name, hashed in hashes.items()))
    (configuration / "users_roles").write_text("".join(f"{each.role}:{each.name}\n" for each in logins))
    for name, text in self_signed("localhost").items():
        (configuration / name).write_text(text)
    (configuration / "log4j2.properties").write_text((FOLDER / "log4j2.properties").read_text())
    (libraries / "libzstd.so").symlink_to(_zstd()[0])


def _command(program: list[str], folder: Path) -> list[str]:
    # Elasticsearch does not run as root.
    as_user = ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []
    properties = {
        "es.path.home": folder,
        "es.nativelibs.path": folder / "lib",
        "java.io.tmpdir": folder,
        "log4j2.configurationFile": folder / "config" / "log4j2.properties",
    }
    return [*as_user, *program, *(f"-D{key}={value}" for key, value in properties.items()), "mangakai.Main"]


def _wait(process: "subprocess.Popen[bytes]", node: Node, log: Path) -> None:
    deadline, user = time.monotonic() + START_SECONDS, next(iter(node.logins))
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if node.call(user, "GET", "/_security/_authenticate")[0] == 200:
                return
        time.sleep(0.2)
    said = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
    raise AssertionError(f"Elasticsearch does not answer on port {node.port} (status {process.poll()}):\n{said}")


def _free_ports(count: int) -> list[int]:
    """Return ports that nothing listens on, of those that these tests have for themselves."""
    free = []
    for port in range(9401, 9500):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            free.append(port)
    return free[:count]
