"""A stand-in for S3, real restic and a real Prometheus, all on 127.0.0.1."""

import json
import logging
import os
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from sandbox.build import ensure
from sandbox.program_pins import PROMETHEUS, PROMTOOL, RESTIC
from tests.offline import ROOT

STORAGE_PORT, PROMETHEUS_PORT = 29340, 29341
logging.getLogger("werkzeug").setLevel(logging.WARNING)

BUCKET = "mangakai-backups"
INTERVAL = 3600


@pytest.fixture(scope="session", autouse=True)
def programs() -> None:
    ensure([PROMETHEUS, PROMTOOL, RESTIC])


class Storage:
    """S3 as moto plays it, which can be away for a while and keeps what it has."""

    def __init__(self) -> None:
        self.back()
        self.client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{STORAGE_PORT}",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            region_name="us-east-1",
        )

    def back(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=STORAGE_PORT, verbose=False)
        self._server.start()

    def away(self) -> None:
        self._server.stop()

    def keys(self, prefix: str) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [each["Key"] for page in pages for each in page.get("Contents", [])]

    def content(self, key: str) -> bytes:
        body: bytes = self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return body


@pytest.fixture(scope="session")
def server() -> Iterator[Storage]:
    storage = Storage()
    yield storage
    storage.away()


@pytest.fixture
def storage(server: Storage) -> Iterator[Storage]:
    """An empty bucket."""
    server.client.create_bucket(Bucket=BUCKET)
    yield server
    for key in server.keys(""):
        server.client.delete_object(Bucket=BUCKET, Key=key)
    server.client.delete_bucket(Bucket=BUCKET)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return what the agent reads in its container, where its package is called `backup`."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "backup").symlink_to(ROOT / "backup_agent")
    return {
        "PYTHONPATH": str(programs),
        "PATH": f"{RESTIC.path.parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "RESTIC_CACHE_DIR": str(tmp_path / "cache"),
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "BACKUP_STORAGE": f"s3:http://127.0.0.1:{STORAGE_PORT}/{BUCKET}",
        "BACKUP_WORK": str(tmp_path / "work"),
        "BACKUP_INTERVAL_SECONDS": str(INTERVAL),
        "BACKUP_RETENTION_DAYS": "30",
        "RESTIC_PASSWORD": "canary-restic-51c9",
        "POD_NAME": "prometheus-0",
    }


@dataclass
class Prometheus:
    """A real Prometheus on a data folder."""

    data: Path
    process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    def fill(self, begin: float, hours: int, series: int = 20) -> None:
        """Make the blocks of some hours from `begin` on, one sample a minute, with Prometheus' own tool."""
        lines = []
        for number in range(series):
            lines += [
                f'work_done_total{{worker="{number}"}} {minute * (number + 1)} {begin + 60 * minute:.0f}'
                for minute in range(60 * hours)
            ]
        text = self.data.parent / "openmetrics"
        text.write_text("# TYPE work_done counter\n" + "\n".join(lines) + "\n# EOF\n")
        command = [str(PROMTOOL.path), "tsdb", "create-blocks-from", "openmetrics", str(text), str(self.data)]
        subprocess.run(command, check=True, capture_output=True)

    def start(self) -> None:
        config = self.data.parent / "prometheus.yml"
        config.write_text("global: {scrape_interval: 1s}\n")
        command = [
            str(PROMETHEUS.path),
            f"--config.file={config}",
            f"--storage.tsdb.path={self.data}",
            "--storage.tsdb.retention.time=10y",
            f"--web.listen-address=127.0.0.1:{PROMETHEUS_PORT}",
        ]
        with (self.data.parent / "prometheus.log").open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait(lambda: self.get("/-/ready") is not None, 30)

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(30)
            self.process = None

    def get(self, path: str) -> bytes | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PROMETHEUS_PORT}{path}", timeout=5) as answer:
                body: bytes = answer.read()
                return body
        except OSError:
            return None

    def answers(self, begin: float, hours: int) -> list[Any]:
        """Return the answer to a query over the hours."""
        query = {"query": "sum by (worker) (rate(work_done_total[5m]))", "start": str(begin), "step": "60"}
        path = f"/api/v1/query_range?{urllib.parse.urlencode({**query, 'end': str(begin + 3600 * hours)})}"
        answer = self.get(path)
        assert answer is not None
        found: list[Any] = json.loads(answer)["data"]["result"]
        return found


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Prometheus]:
    data = tmp_path / "prometheus" / "data"
    data.mkdir(parents=True)
    one = Prometheus(data)
    yield one
    one.stop()


def wait(condition: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.2)
