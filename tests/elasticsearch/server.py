"""A real Elasticsearch with X-Pack's security on 127.0.0.1, of the parts of the live cluster's image.

What Maven Central lacks is filled in, or missing, as docs/sandbox.md says of the image. Data and log lie in a folder of
the test's, and the users are those of a component, as Elastic's operator hands them on.
"""

import base64
import contextlib
import ctypes.util
import http.client
import json
import os
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import bcrypt
import yaml

from components.elastic.users import users_of_logs
from components.foundation.certificate import derived
from sandbox.images import java
from sandbox.images.elasticsearch import FOLDER, Release

START_SECONDS, STOP_SECONDS, REQUEST_SECONDS = 900, 30, 120
SUPERUSER = "elastic"
OPTIONS = [
    "-Xms512m",
    "-Xmx512m",
    "-XX:+UseG1GC",
    "-XX:TieredStopAtLevel=1",
    "--add-modules=jdk.net",
    "--enable-native-access=ALL-UNNAMED",
    "-Dorg.elasticsearch.nativeaccess.enableVectorLibrary=false",
    "-Dio.netty.noUnsafe=true",
    "-Dlog4j.shutdownHookEnabled=false",
]
# Elasticsearch refuses to run as root. So it is called, with root's files as its own.
AS_SOMEBODY = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]


class ElasticsearchError(Exception):
    """There is no node; the text says what is missing or what it said."""


@dataclass(frozen=True)
class Access:
    """Who may do what: roles as roles.yml has them, and the role of each user, whose password is `password`."""

    roles: Mapping[str, Any]
    users: Mapping[str, str]


def password(user: str) -> str:
    """Return the password of a user."""
    return f"password-of-{user}"


@dataclass(frozen=True)
class Server:
    """A node that answers by TLS, under the name `localhost`, with a certificate of `authority`."""

    port: int
    authority: Path
    started_in: float

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def call(self, method: str, path: str, content: object = None, user: str = SUPERUSER) -> tuple[int, Any]:
        """Send a request as a user, and return status and answer; a list is sent as lines, as `_bulk` wants it."""
        kind, body = "application/json", b"" if content is None else json.dumps(content).encode()
        if isinstance(content, list):
            kind, body = "application/x-ndjson", "".join(json.dumps(each) + "\n" for each in content).encode()
        login = base64.b64encode(f"{user}:{password(user)}".encode()).decode()
        tls = ssl.create_default_context(cafile=str(self.authority))
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=REQUEST_SECONDS, context=tls)
        with contextlib.closing(connection):
            connection.request(method, path, body, {"Content-Type": kind, "Authorization": f"Basic {login}"})
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")

    def ask(self, method: str, path: str, content: object = None, user: str = SUPERUSER) -> Any:
        """Send a request that succeeds, and return the answer."""
        status, answer = self.call(method, path, content, user)
        assert status < 300, f"{user}: {method} {path}: {status}: {json.dumps(answer)[:2000]}"
        return answer


@contextlib.contextmanager
def running_with_the_logs_users(folder: Path, port: int) -> Iterator[Server]:
    """Run a node with the users and roles of the logs, as `running` does."""
    users = users_of_logs(Mock())
    access = Access(users.roles, {user.name: user.role for user in (users.user, *users.others)})
    with running(folder, port, access) as server:
        print(f"\nElasticsearch up in {server.started_in:.1f} s")
        yield server


@contextlib.contextmanager
def running(folder: Path, port: int, access: Access, major: int = 9) -> Iterator[Server]:
    """Run a node of a major version in `folder`, on a port.

    Raises:
        SandboxError: the jars or a JDK cannot be had; it says how.
        ElasticsearchError: the node does not answer.

    """
    release = Release(major)
    jars = java.jars(f"elasticsearch-{major}", release.pom)
    classes, home = folder / "classes", folder / "home"
    java.compiled(release.sources, jars, classes)
    _configure(home, port, access)
    places = [f"-Des.path.home={home}", f"-Des.nativelibs.path={home}/lib", f"-Djava.io.tmpdir={folder}"]
    places.append(f"-Dlog4j2.configurationFile={FOLDER}/log4j2.properties")
    command = [str(java.jdk() / "bin" / "java"), *OPTIONS, *places, "-cp", f"{classes}:{jars}/*", "mangakai.Main"]
    if os.geteuid() == 0:
        command = [*AS_SOMEBODY, *command]
    began, log = time.monotonic(), folder / "node.log"
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)
        try:
            server = Server(port, home / "config" / "ca.crt", 0)
            _wait(process, server, log)
            yield Server(port, server.authority, time.monotonic() - began)
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _configure(home: Path, port: int, access: Access) -> None:
    """Write what Elastic's operator writes: the settings, the certificates, the roles and the users."""
    config = home / "config"
    config.mkdir(parents=True)
    (home / "lib").mkdir()
    (home / "lib" / "libzstd.so").symlink_to(_zstd())
    settings: dict[str, Any] = {
        "cluster.name": "mangakai-tests",
        "discovery.type": "single-node",
        "http.port": port,
        "network.host": "127.0.0.1",
        "transport.port": port + 1,
        "node.store.allow_mmap": False,
        "path.repo": [str(home / "snapshots")],
        "xpack.security.authc.realms.file.file1.order": -100,
        "xpack.security.authc.realms.native.native1.order": -99,
        "xpack.security.authc.reserved_realm.enabled": False,
        "xpack.security.enabled": True,
    }
    for layer in ("http", "transport"):
        settings |= {
            f"xpack.security.{layer}.ssl.{name}": value
            for name, value in {"enabled": True, "certificate": "tls.crt", "key": "tls.key"}.items()
        }
        settings[f"xpack.security.{layer}.ssl.certificate_authorities"] = ["ca.crt"]
    (config / "elasticsearch.yml").write_text(yaml.safe_dump(settings))
    for name, text in derived("a seed of the tests, long enough", "localhost").items():
        (config / name).write_text(text)
    (config / "roles.yml").write_text(yaml.safe_dump(json.loads(json.dumps(access.roles))))
    users = {SUPERUSER: "superuser", **access.users}
    hashes = {user: bcrypt.hashpw(password(user).encode(), bcrypt.gensalt(4, b"2a")).decode() for user in users}
    (config / "users").write_text("".join(f"{user}:{hash_}\n" for user, hash_ in hashes.items()))
    (config / "users_roles").write_text("".join(f"{role}:{user}\n" for user, role in users.items()))


def _zstd() -> Path:
    """Return the library that compresses an index of the codec best_compression."""
    name = ctypes.util.find_library("zstd")
    found = [path for path in Path("/usr/lib").glob(f"*/{name}") if name]
    if not found:
        raise ElasticsearchError("libzstd, which Elasticsearch loads, is not on this machine: apt-get install libzstd1")
    return found[0].resolve()


def _wait(process: "subprocess.Popen[bytes]", server: Server, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ElasticsearchError(f"Elasticsearch ended with status {process.returncode}:\n{_end_of(log)}")
        with contextlib.suppress(OSError, http.client.HTTPException):
            if server.call("GET", "/_cluster/health?wait_for_status=yellow&timeout=5s")[0] == 200:
                return
        time.sleep(0.5)
    raise ElasticsearchError(f"Elasticsearch does not answer on port {server.port}:\n{_end_of(log)}")


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-30:])
