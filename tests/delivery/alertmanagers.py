"""Replicas of Alertmanager as production's pods start them, on this machine: each with its own ports and volume."""

import contextlib
import http.client
import json
import signal
import subprocess
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pulumi.runtime import rpc

from components.foundation.helm_records import RELEASE_TYPE
from components.metrics import gossip
from sandbox.demo.watch import Watch
from sandbox.program_pins import ALERTMANAGER
from tests.offline import Run


def gossip_flags(run: Run, folder: Path) -> list[str]:
    """Return the flags about the gossip that a stack's pods have, and write what they read to `folder`."""
    (release,) = (one for one in run.of_type(RELEASE_TYPE) if one.name == "alertmanager")
    for secret in run.of_type("kubernetes:core/v1:Secret"):
        if secret.name == gossip.SECRET:
            write(rpc.unwrap_rpc_secret(secret.inputs["stringData"]), folder)
    flags = release.inputs["values"]["extraArgs"]
    return [
        f"--{flag}={value.replace(gossip.FOLDER, str(folder))}"
        for flag, value in flags.items()
        if flag.startswith("cluster.")
    ]


def write(files: Mapping[str, Any], folder: Path) -> None:
    """Write what a Secret holds, each file whole at once, as the kubelet does."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        new = folder / f"{name}.new"
        new.write_text(str(rpc.unwrap_rpc_secret(text)))
        new.replace(folder / name)


def started(config: Path, folder: Path, port: int, flags: Sequence[str]) -> "subprocess.Popen[bytes]":
    """Start an Alertmanager that answers on this port of 127.0.0.1, and has its data and its log in a folder."""
    command = [
        str(ALERTMANAGER.path), f"--config.file={config}", f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", *flags,
    ]  # fmt: skip
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


class Replica:
    """An Alertmanager on 127.0.0.1 that can be ended and started with other flags, with the data that it had."""

    def __init__(self, folder: Path, port: int, peers: Sequence[int], config: Path | None = None) -> None:
        """Describe one.

        Args:
            folder: of its own.
            port: where it answers; it gossips at the next one.
            peers: the ports of all, as the chart names them to each; to one alone it says nothing about gossip.
            config: alertmanager.yml; one that tells nobody if None.
        """
        folder.mkdir()
        self.log = folder / "log"
        self._folder = folder
        self._port = port
        self._peers = peers
        self._config = config or folder / "alertmanager.yml"
        if config is None:
            self._config.write_text(json.dumps({"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, flags: Sequence[str]) -> None:
        """Start it, and wait until it answers: that is when the next pod of a rollout is replaced."""
        address = f"127.0.0.1:{self._port + 1}"
        addresses = [f"--cluster.advertise-address={address}", f"--cluster.listen-address={address}"]
        peers = [f"--cluster.peer=127.0.0.1:{peer + 1}" for peer in self._peers]
        gossip_of = addresses if self._peers else []
        self._process = started(self._config, self._folder, self._port, [*gossip_of, *peers, *flags])
        assert Watch.wait(lambda: self.get("status") is not None, 30), self.log.read_text()

    def end(self) -> None:
        """End it as a kubelet does."""
        if self._process:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=30)

    def members(self) -> int:
        """Return how many replicas it sees, itself among them; none where it does not gossip."""
        return len(self.get("status")["cluster"].get("peers", []))

    def is_settled(self) -> bool:
        """Return whether it has looked for the others long enough, and notifies."""
        return bool(self.get("status")["cluster"]["status"] == "ready")

    def silences(self) -> set[str]:
        """Return the comments of the silences that hold."""
        found = self.get("silences") or []
        return {silence["comment"] for silence in found if silence["status"]["state"] == "active"}

    def has(self, comments: set[str]) -> bool:
        """Return whether the silences that hold are these."""
        return self.silences() == comments

    def silence(self, comment: str, matcher: str = ".+") -> None:
        """Silence all alerts whose name matches."""
        now = datetime.now(UTC)
        body = {
            "matchers": [{"name": "alertname", "value": matcher, "isRegex": True, "isEqual": True}],
            "startsAt": now.isoformat(), "endsAt": (now + timedelta(hours=1)).isoformat(),
            "createdBy": "test", "comment": comment,
        }  # fmt: skip
        self.post("silences", body)

    def get(self, path: str) -> Any:
        """Return what its API answers, None as long as it does not."""
        url = f"http://127.0.0.1:{self._port}/api/v2/{path}"
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
            return json.load(answer)
        return None

    def post(self, path: str, body: Any) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        with contextlib.closing(connection):
            connection.request(
                "POST", f"/api/v2/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
            )
            answer = connection.getresponse()
            assert answer.status == 200, answer.read().decode()
