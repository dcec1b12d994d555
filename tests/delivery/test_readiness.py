"""A pod of Prometheus is ready when Prometheus answers queries: the probe's own command, asked of the real one.

Prometheus listens before it has read its write-ahead log, and answers 503 meanwhile: with hours of production's series
that takes minutes. Here a log is made long enough to see it.
"""

import http.server
import json
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.build import ensure
from sandbox.program_pins import PROMETHEUS, PROMTOOL
from tests.delivery import web_secret
from tests.serving import serving

PORT, PASSWORD = 29320, "canary-ready-3a90"
SERIES, SCRAPES = 100_000, 3


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    ensure([PROMETHEUS, PROMTOOL])


def probe(folder: Path, secret: Path) -> list[str]:
    """Return the command of production's probe, with the paths and the port of this machine."""
    program, *arguments = web_secret.sidecar(folder, "readiness")["readinessProbe"]["exec"]["command"]
    assert program == "promtool"
    local = [each.replace(web_secret.MOUNT, str(secret)).replace(":9090", f":{PORT}") for each in arguments]
    return [str(PROMTOOL.path), *local]


def is_ready(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0


def listens(port: int) -> bool:
    """Return what the chart's own probe, a TCP connection, would find."""
    with socket.socket() as connection:
        connection.settimeout(1)
        return connection.connect_ex(("127.0.0.1", port)) == 0


class Exporter(http.server.BaseHTTPRequestHandler):
    """Exposes many series, each time with other values."""

    def do_GET(self) -> None:
        value = time.time()
        body = "".join(f'made_up{{series="{index}"}} {value}\n' for index in range(SERIES)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """A scrape is nothing to log."""


def start(folder: Path, secret: Path, exporter: int) -> "subprocess.Popen[bytes]":
    config = {
        "global": {"scrape_interval": "2s", "scrape_timeout": "2s"},
        "scrape_configs": [{"job_name": "made-up", "static_configs": [{"targets": [f"127.0.0.1:{exporter}"]}]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    command = [
        str(PROMETHEUS.path), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{PORT}", f"--web.config.file={secret}/web-config.yml",
    ]  # fmt: skip
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(command, env={"HOME": str(folder)}, stdout=log, stderr=log)


def until(what: Callable[[], bool], seconds: float = 60) -> float:
    """Wait, and return how long that took."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < seconds, f"not after {seconds} s"
        time.sleep(0.05)
    return time.monotonic() - began


def test_a_pod_is_not_ready_while_its_log_is_replayed(tmp_path: Path) -> None:
    secret = web_secret.write(tmp_path, PASSWORD)
    ask = probe(tmp_path, secret)
    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Exporter)) as exporter:
        process = start(tmp_path, secret, exporter)
        try:
            until(lambda: is_ready(ask))
            wal = tmp_path / "data" / "wal"
            least = 1_000_000 * SCRAPES
            until(lambda: sum(file.stat().st_size for file in wal.glob("0*")) > least)
        finally:
            process.kill()  # as a node that dies: the log is replayed
            process.wait()
        process = start(tmp_path, secret, exporter)
        try:
            listening = until(lambda: listens(PORT))
            assert not is_ready(ask), "the log was too short to see it"
            ready = listening + until(lambda: is_ready(ask))
            print(f"\nlistens after {listening:.1f} s, ready after {ready:.1f} s")
        finally:
            process.kill()
            process.wait()


def test_the_password_comes_from_the_file(tmp_path: Path) -> None:
    secret = web_secret.write(tmp_path, PASSWORD)
    ask = probe(tmp_path, secret)
    process = start(tmp_path, secret, 9)
    try:
        until(lambda: is_ready(ask))
        assert PASSWORD not in " ".join(ask)
        (secret / "password").write_text("another")
        assert not is_ready(ask)
    finally:
        process.kill()
        process.wait()
