"""A Prometheus of a test's own, asked in PromQL."""

import base64
import contextlib
import http.client
import json
import subprocess
import urllib.parse
from pathlib import Path
from typing import Any

from components.foundation.names import WEB_USER
from components.metrics.rule_files import threshold
from sandbox.program_pins import PROMETHEUS

# What it is asked with, for those that ask for one.
PASSWORD = "canary-store-51d0"


class Process:
    """A Prometheus on 127.0.0.1 in a folder of its own, which has its configuration."""

    def __init__(self, folder: Path, port: int, *flags: str) -> None:
        self.log = folder / "log"
        self._port = port
        self._folder = folder
        self._flags = flags
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **environment: str) -> None:
        command = [
            str(PROMETHEUS.path), f"--config.file={self._folder}/prometheus.yml",
            f"--storage.tsdb.path={self._folder}/data", f"--web.listen-address=127.0.0.1:{self._port}", *self._flags,
        ]  # fmt: skip
        # No file of the user's, and nobody asked who is not on this machine: AWS' client would look for a role.
        own = {"POD_NAME": "prometheus-0", "HOME": str(self._folder), "AWS_EC2_METADATA_DISABLED": "true"}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, env=own | environment, stdout=log, stderr=log)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(timeout=10)

    def ended(self, seconds: float) -> int:
        assert self._process
        return self._process.wait(timeout=seconds)

    def query(self, text: str) -> list[dict[str, Any]]:
        """Return what it answers, and nothing as long as it does not."""
        return list(self.get(f"query?{urllib.parse.urlencode({'query': text})}").get("result", []))

    def get(self, path: str) -> dict[str, Any]:
        """Return the data at a path of its API, and nothing as long as it does not answer."""
        login = base64.b64encode(f"{WEB_USER}:{PASSWORD}".encode()).decode()
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", f"/api/v1/{path}", headers={"Authorization": f"Basic {login}"})
            answer = connection.getresponse()
            return dict(json.load(answer)["data"]) if answer.status == 200 else {}
        return {}

    def compared(self, rule: dict[str, Any]) -> float:
        """Return what an alert compares with its threshold, NaN where it has nothing to compare."""
        expression, _, _ = rule["expr"].partition(f" > {threshold(rule):g} # threshold")
        assert expression != rule["expr"]
        found = self.query(expression)
        return float(found[0]["value"][1]) if found else float("nan")
