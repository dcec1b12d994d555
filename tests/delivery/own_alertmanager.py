"""Alertmanagers of a test's own with production's configuration, asked as the fire drill asks those in pods."""

import http.client
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from sandbox.demo import loopback
from sandbox.demo.loopback import Ports
from tests.delivery.alertmanagers import started


class Process:
    """An Alertmanager on 127.0.0.1, one of as many as have gossip ports.

    Args:
        files: as `make render` writes them.
        folder: of its own.
        ports: who listens where.
        password: of the mail server.
        speed: by which every duration is divided.
        gossip: the ports of all of them, its own first; none where it is alone.
        flags: further ones.
    """

    def __init__(
        self,
        files: Mapping[str, str],
        folder: Path,
        ports: Ports,
        password: str,
        speed: float,
        gossip: tuple[int, ...] = (),
        flags: tuple[str, ...] = (),
    ) -> None:
        self.name = folder.name
        self.folder = folder
        self._port = ports.alertmanager
        loopback.write(files, folder, ports, [], password, speed)
        peers = [f"--cluster.peer=127.0.0.1:{port}" for port in gossip[1:]]
        listens = f"--cluster.listen-address={f'127.0.0.1:{gossip[0]}' if gossip else ''}"
        config = folder / "alertmanager" / "alertmanager.yml"
        self._process = started(config, folder, self._port, [listens, *peers, *flags])

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(timeout=10)

    def is_ready(self) -> bool:
        try:
            return self.ask("/-/ready")[0] == 200
        except OSError:
            return False

    def ask(self, path: str, body: str = "") -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            headers = {"Content-Type": "application/json"} if body else {}
            connection.request("POST" if body else "GET", path, body.encode() or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def log(self, since: datetime) -> str:
        return (self.folder / "log").read_text()


def changed(files: Mapping[str, str], change: Any) -> dict[str, str]:
    """Return the files with a change made to alertmanager.yml."""
    config = yaml.safe_load(files["alertmanager.yml"])
    change(config)
    return {**files, "alertmanager.yml": yaml.safe_dump(config)}
