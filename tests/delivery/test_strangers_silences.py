"""The commands of docs/leaked-secrets.md about silences that a stranger left, with the real Alertmanager and amtool."""

import json
import os
import re
import subprocess
from pathlib import Path

import urllib3

from components.foundation.kubernetes_secrets import web_config
from components.foundation.names import WEB_USER
from sandbox.program_pins import AMTOOL
from tests.delivery.alertmanagers import started
from tests.unit.documents.shell_blocks import blocks

PORT, PASSWORD = 29390, "canary-web-9d41"
URL = f"http://127.0.0.1:{PORT}"
CONFIGURATION = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
OF_STRANGER = {
    "matchers": [{"name": "alertname", "value": ".+", "isRegex": True}],
    "startsAt": "2026-01-01T00:00:00Z",
    "endsAt": "2099-01-01T00:00:00Z",
    "createdBy": "anyone",
    "comment": "",
}


def test_a_silence_of_a_stranger_is_found_and_ended(tmp_path: Path) -> None:
    (tmp_path / "alertmanager.yml").write_text(CONFIGURATION)
    (tmp_path / "web.yml").write_text(web_config(PASSWORD))
    (tmp_path / "http.yml").write_text(json.dumps({"basic_auth": {"username": WEB_USER, "password": PASSWORD}}))
    (block,) = (one.commands for one in blocks() if "silence expire ID" in one.commands and "leaked" in one.where)
    query, expire = block.replace('"$(pulumi stack output alertmanagerUrl)"', URL).strip().split("\n")

    def run(command: str) -> str:
        path = f"{AMTOOL.path.parent}:{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "-euc", command],
            cwd=tmp_path,
            env={"PATH": path},
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout

    flags = ["--cluster.listen-address=", f"--web.config.file={tmp_path / 'web.yml'}"]
    process = started(tmp_path / "alertmanager.yml", tmp_path, PORT, flags)
    try:
        login = urllib3.make_headers(basic_auth=f"{WEB_USER}:{PASSWORD}")
        retries = urllib3.Retry(connect=20, backoff_factor=0.1)
        made = urllib3.request("POST", f"{URL}/api/v2/silences", json=OF_STRANGER, headers=login, retries=retries)
        assert made.status == 200, made.data
        found = run(query)
        assert "anyone" in found
        (id_,) = re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", found)
        run(expire.replace("ID", id_))
        assert "anyone" not in run(query)
    finally:
        process.kill()
        process.wait(timeout=10)
