"""Metrics that reach a long-term store: a real Prometheus sends as its pods are told to, another one is the store."""

import contextlib
import itertools
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from components.foundation.kubernetes_secrets import web_config
from components.foundation.names import WEB_USER
from components.metrics import prometheus
from components.metrics.rule_files import steps, threshold
from components.settings.foundation import ClusterSettings, ExposureSettings
from components.settings.metrics import RemoteWriteSettings
from sandbox.build import ensure
from sandbox.demo.watch import Watch
from sandbox.program_pins import PROMETHEUS, PROMTOOL
from tests.delivery.own_prometheus import PASSWORD, Process
from tests.rules.rendered import check

SENDER, STORE, SIGNING, SINK = range(29300, 29304)
CLUSTER = ClusterSettings(name="mangakai-test", region="ap-southeast-1", context="x", server="https://x")
WORKSPACE = "https://aps-workspaces.eu-west-2.amazonaws.com/workspaces/ws-1/api/v1/remote_write"
BASIC = RemoteWriteSettings.model_validate(
    {"url": "https://store.example.com/api/v1/write", "username": WEB_USER, "keep": "up|prometheus_build_.+"}
)
SIGNED = RemoteWriteSettings(url=WORKSPACE)
BY_ROLE = RemoteWriteSettings.model_validate(
    {"url": WORKSPACE, "roleArn": "arn:aws:iam::444455556666:role/writer", "keep": "up|http_(?:a|b)[a-z]*"}
)
BEHIND, FAILING = (steps()[f"PrometheusRemoteWrite{alert}"]["warning"] for alert in ("Behind", "Failing"))


def write(folder: Path, store: RemoteWriteSettings, port: int) -> None:
    """Write what the pods read, with paths below `folder`, and the store on this machine."""
    config = yaml.safe_load(prometheus.render(CLUSTER, ExposureSettings(authentication=False), store))
    assert config["remote_write"][0]["url"] == store.url
    config["remote_write"][0]["url"] = f"http://127.0.0.1:{port}/api/v1/write"
    config["global"]["scrape_interval"] = "1s"
    del config["alerting"]  # found by DNS
    target = {"targets": [f"127.0.0.1:{SENDER}"], "labels": {"namespace": "monitoring", "pod": "prometheus-0"}}
    job = {"job_name": "prometheus", "static_configs": [target]}
    texts = {
        "prometheus.yml": yaml.safe_dump(config).replace("/etc/prometheus/", f"{folder}/"),
        "scrape_configs/prometheus.yml": yaml.safe_dump({"scrape_configs": [job]}),
        "remote-write/password": PASSWORD,
    }
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.fixture(scope="module", autouse=True)
def _programs() -> None:
    ensure([PROMETHEUS, PROMTOOL])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("store")
    (folder / "prometheus.yml").write_text("{}")
    (folder / "web.yml").write_text(web_config(PASSWORD))
    process = Process(folder, STORE, "--web.enable-remote-write-receiver", f"--web.config.file={folder}/web.yml")
    process.start()
    yield process
    process.kill()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the sender's files are."""
    folder = tmp_path_factory.mktemp("sender")
    write(folder, BASIC, STORE)
    return folder


@pytest.fixture(scope="module")
def sender(folder: Path) -> Iterator[Process]:
    process = Process(folder, SENDER)
    process.start()
    yield process
    process.kill()


def arrived_since(store: Process, moment: float) -> bool:
    return any(float(series["value"][1]) > moment for series in store.query("timestamp(up)"))


def test_what_is_kept_arrives_with_the_labels_by_which_a_store_deduplicates(sender: Process, store: Process) -> None:
    assert Watch.wait(lambda: bool(store.query("up")), 20), sender.log.read_text()[-2000:]
    (up,) = store.query("up")
    assert up["metric"] == {
        "__name__": "up", "cluster": "mangakai-test", "region": "ap-southeast-1", "__replica__": "prometheus-0",
        "job": "prometheus", "instance": f"127.0.0.1:{SENDER}", "namespace": "monitoring", "pod": "prometheus-0",
    }  # fmt: skip
    names = {series["metric"]["__name__"] for series in store.query('group by (__name__) ({__name__=~".+"})')}
    assert names == {"up", "prometheus_build_info"}
    scraped = sender.query('count(count by (__name__) ({__name__=~".+"}))')
    print(f"\n{len(names)} of {scraped[0]['value'][1]} metrics arrived")


def test_a_wrong_password_moves_what_the_alert_about_it_looks_at(sender: Process, store: Process, folder: Path) -> None:
    limit = threshold(FAILING) or 0
    assert Watch.wait(lambda: sender.compared(FAILING) == 0, 20)
    (folder / "remote-write" / "password").write_text("another")
    assert Watch.wait(lambda: sender.compared(FAILING) > limit, 20)
    print(f"\n{sender.compared(FAILING):.0%} refused", end="")
    # What the runbook looks for.
    assert re.search("non-recoverable error.*401 Unauthorized", sender.log.read_text())
    (folder / "remote-write" / "password").write_text(PASSWORD)
    mended = time.time()
    assert Watch.wait(lambda: arrived_since(store, mended), 20), "the file is read again without a restart"


def test_an_outage_is_behind_what_was_sent_and_is_caught_up(sender: Process, store: Process) -> None:
    assert Watch.wait(lambda: sender.compared(BEHIND) < 10, 20)
    store.kill()
    gone = time.time()
    assert Watch.wait(lambda: sender.compared(BEHIND) > 12, 20)
    assert re.search("Failed to send batch, retrying.*remote_name=long-term", sender.log.read_text())
    store.start()
    assert Watch.wait(lambda: sender.compared(BEHIND) < 10, 20)
    back = time.time()
    assert Watch.wait(lambda: arrived_since(store, back), 20)
    (up,) = store.query("up[2m]")
    times = [at for at, _ in up["values"] if at > gone]
    largest = max(after - before for before, after in itertools.pairwise(times))
    print(f"\naway for {back - gone:.0f} s; of {len(times)} samples since, the largest gap is {largest:.1f} s")
    assert times[0] - gone < 2.5
    assert largest < 2.5


@contextlib.contextmanager
def sink(received: list[dict[str, str]]) -> Iterator[None]:
    """Take whatever is sent, and keep the headers."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            received.append(dict(self.headers))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", SINK), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield
    server.shutdown()
    server.server_close()


def test_requests_to_a_workspace_are_signed_for_its_region(tmp_path: Path) -> None:
    write(tmp_path, SIGNED, SINK)
    received: list[dict[str, str]] = []
    process = Process(tmp_path, SIGNING)
    with sink(received):
        process.start(AWS_ACCESS_KEY_ID="AKIAEXAMPLE", AWS_SECRET_ACCESS_KEY="made-up")
        arrived = Watch.wait(lambda: bool(received), 25)
        process.kill()
    assert arrived, process.log.read_text()[-2000:]
    credential = (
        r"AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/\d{8}/eu-west-2/aps/aws4_request, SignedHeaders=\S+, Signature="
    )
    assert re.match(credential, received[0]["Authorization"]), received[0]["Authorization"]
    assert received[0]["X-Prometheus-Remote-Write-Version"] == "0.1.0"


def test_without_credentials_a_prometheus_that_signs_does_not_start(tmp_path: Path) -> None:
    """So docs/operations.md and the runbook of ConfigurationReloadFailing say it."""
    write(tmp_path, SIGNED, SINK)
    process = Process(tmp_path, SIGNING)
    process.start()
    try:
        assert process.ended(20) == 1
    finally:
        process.kill()
    assert "could not get SigV4 credentials" in process.log.read_text()


@pytest.mark.parametrize("settings", [BASIC, SIGNED, BY_ROLE], ids=["basic auth", "signed", "by a role"])
def test_prometheus_takes_each_form(settings: RemoteWriteSettings, tmp_path: Path) -> None:
    write(tmp_path, settings, SINK)
    assert "SUCCESS" in check(PROMTOOL, "check", "config", tmp_path / "prometheus.yml")
