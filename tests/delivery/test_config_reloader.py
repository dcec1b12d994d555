"""The real reloader, with the arguments of production's pod, makes a real Prometheus with a password read its files."""

import base64
import http.client
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.foundation.names import WEB_USER
from sandbox.build import ensure
from sandbox.program_pins import CONFIG_RELOADER, PROMETHEUS
from tests.delivery import web_secret

# With what a URL has to quote.
PORT, RELOADER_PORT, PASSWORD = 29330, 29331, "canary: 8%b/7@x"


@pytest.fixture
def reloader(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Start Prometheus and its reloader, whose files are as those in the pod, and return the latter."""
    ensure([PROMETHEUS, CONFIG_RELOADER])
    secret = web_secret.write(tmp_path, PASSWORD)
    flags = secret / "prometheus-reloader-arguments"
    flags.write_text(flags.read_text().replace(":9090", f":{PORT}"))
    paths = {web_secret.MOUNT: secret}
    for mount in ("/etc/config", "/etc/prometheus/rules", "/etc/prometheus/scrape_configs"):
        paths[mount] = tmp_path / mount.rpartition("/")[2]
        paths[mount].mkdir()
    (paths["/etc/config"] / "prometheus.yml").write_text(json.dumps({"rule_files": [f"{tmp_path}/rules/*.yml"]}))
    arguments = []
    for argument in web_secret.sidecar(tmp_path, "config-reloader")["args"]:
        for mount, local in paths.items():
            argument = argument.replace(mount, str(local))
        arguments.append(argument.replace("--listen-address=:8080", f"--listen-address=127.0.0.1:{RELOADER_PORT}"))
    server = [
        str(PROMETHEUS.path), f"--config.file={tmp_path}/config/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data",
        f"--web.listen-address=127.0.0.1:{PORT}", f"--web.config.file={secret}/web-config.yml",
        "--web.enable-lifecycle",
    ]  # fmt: skip
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for command in (server, [str(CONFIG_RELOADER.path), *arguments, "--watch-interval=2s", "--delay-interval=1s"]):
            with (tmp_path / f"{len(processes)}.log").open("ab") as log:
                processes.append(subprocess.Popen(command, env={"HOME": str(tmp_path)}, stdout=log, stderr=log))
            if len(processes) == 1:
                wait_for_rules([])
        yield processes[1]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def rules() -> list[str] | None:
    """Return the names of Prometheus' rule groups, None as long as it does not answer."""
    login = base64.b64encode(f"{WEB_USER}:{PASSWORD}".encode()).decode()
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=5)
    try:
        connection.request("GET", "/api/v1/rules", headers={"Authorization": f"Basic {login}"})
        answer = connection.getresponse()
        body = answer.read()
    except OSError:
        return None
    finally:
        connection.close()
    return [group["name"] for group in json.loads(body)["data"]["groups"]] if answer.status == 200 else None


def wait_for_rules(expected: list[str], seconds: float = 60) -> float:
    """Wait until Prometheus has these groups, and return how long that took."""
    began = time.monotonic()
    while (found := rules()) != expected:
        assert time.monotonic() - began < seconds, f"{found} after {seconds} s"
        time.sleep(0.2)
    return time.monotonic() - began


def test_a_changed_rule_is_read_and_no_process_shows_the_password(
    tmp_path: Path, reloader: "subprocess.Popen[bytes]"
) -> None:
    group = {"name": "new", "rules": [{"record": "one", "expr": "vector(1)"}]}
    (tmp_path / "rules" / "new.yml").write_text(json.dumps({"groups": [group]}))
    print(f"\nread after {wait_for_rules(['new']):.1f} s")
    assert reloader.poll() is None
    shown = "".join(Path(f"/proc/{reloader.pid}/{file}").read_text() for file in ("cmdline", "environ"))
    assert "prometheus-reloader-arguments" in shown
    for secret in (PASSWORD, "canary"):
        assert secret not in shown.replace(str(tmp_path), "")
