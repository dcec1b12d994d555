"""One pod with a user's id as a label takes no Prometheus down: a real one with the limits of a job in scrape/."""

import contextlib
import http.server
from collections.abc import Iterator

import pytest
import yaml

from components.metrics.rule_files import steps
from components.metrics.scrape_jobs import jobs
from components.settings.application import ApplicationSettings
from sandbox.build import ensure
from sandbox.demo.watch import Watch
from sandbox.program_pins import PROMETHEUS
from tests.delivery.own_prometheus import Process
from tests.offline import ROOT
from tests.serving import serving

PORT = 29330
(JOB,) = (
    job
    for job in jobs(ApplicationSettings(), authentication=True, backups=True)
    if job["job_name"] == "kubernetes-pods"
)
LIMITS = {key: value for key, value in JOB.items() if key.endswith("_limit")}
ALERT = steps()["PrometheusScrapeLimitHit"]["warning"]
RUNBOOK = (ROOT / "docs" / "runbooks" / "prometheus-scrape-limit-hit.md").read_text()


def by_user(number: int) -> bytes:
    """Return the metrics of an application that counts the requests of each user."""
    return "".join(f'requests_total{{user_id="user-{user}"}} 1\n' for user in range(number)).encode()


# `job`, `instance`, `path` and the metric's name are labels too.
LABELS = {number: ",".join(f'l{index}="x"' for index in range(number - 4)) for number in (40, 41)}
SHOWN = {
    "/as-many": by_user(20_000),
    "/as-many-labels": f"requests_total{{{LABELS[40]}}} 1\n".encode(),
    "/as-long": f'requests_total{{user_agent="{"x" * 512}"}} 1\n'.encode(),
    "/too-many": by_user(20_001),
    "/a-million": by_user(1_000_000),
    "/too-many-labels": f"requests_total{{{LABELS[41]}}} 1\n".encode(),
    "/too-long": f'requests_total{{user_agent="{"x" * 513}"}} 1\n'.encode(),
}
REFUSED = {
    "/too-many": "sample limit exceeded",
    "/a-million": "body size limit exceeded",
    "/too-many-labels": "label_limit exceeded",
    "/too-long": "label_value_length_limit exceeded",
}


HELD = ("prometheus_tsdb_head_series", "process_resident_memory_bytes")


class Application(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        # Prometheus hangs up on an answer that is too large.
        with contextlib.suppress(ConnectionError):
            self.wfile.write(SHOWN[self.path])

    def log_message(self, *_: object) -> None:
        """A scrape is nothing to log."""


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    ensure([PROMETHEUS])
    folder = tmp_path_factory.mktemp("prometheus")
    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Application)) as application:

        def targets(*paths: str) -> list[dict[str, object]]:
            address = [f"127.0.0.1:{application}"]
            return [{"targets": address, "labels": {"__metrics_path__": path, "path": path}} for path in paths]

        own = {"targets": [f"127.0.0.1:{PORT}"], "labels": {"namespace": "monitoring", "pod": "prometheus-0"}}
        config = {
            "global": {"scrape_interval": "4s", "scrape_timeout": "4s"},
            "scrape_configs": [
                {"job_name": "prometheus", "static_configs": [own]},
                {"job_name": "limited", **LIMITS, "static_configs": targets(*SHOWN)},
                {"job_name": "unlimited", "static_configs": targets("/too-many", "/too-many-labels", "/too-long")},
            ],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        process = Process(folder, PORT)
        process.start()
        try:
            assert Watch.wait(lambda: scraped(process), 60), process.log.read_text()[-2000:]
            yield process
        finally:
            process.kill()


def scraped(prometheus: Process) -> bool:
    """Return whether each target was scraped, and the alert has something to compare."""
    found = prometheus.query('count(up{job=~"limited|unlimited"})')
    return bool(found) and int(found[0]["value"][1]) == len(SHOWN) + 3 and bool(prometheus.query(ALERT["expr"]))


def by_path(prometheus: Process, query: str) -> dict[str, float]:
    return {one["metric"]["path"]: float(one["value"][1]) for one in prometheus.query(query)}


def test_what_is_within_the_limits_is_taken_and_the_rest_refused_whole(prometheus: Process) -> None:
    up = by_path(prometheus, 'up{job="limited"}')
    assert up == {path: float(path not in REFUSED) for path in SHOWN}
    taken = by_path(prometheus, 'count by (path) (requests_total{job="limited"})')
    assert taken == {"/as-many": 20_000, "/as-many-labels": 1, "/as-long": 1}
    # What comes before the limit of samples is in memory all the same, until the head is cleaned.
    (head,), (resident,) = (prometheus.query(f"max({name})") for name in HELD)
    series, memory = float(head["value"][1]), float(resident["value"][1])
    print(f"\n{series:.0f} series in {memory / 2**20:.0f} MiB")
    assert series < 3 * 20_000 + 2_000


def test_without_them_it_would_be_taken(prometheus: Process) -> None:
    taken = by_path(prometheus, 'count by (path) (requests_total{job="unlimited"})')
    assert taken == {"/too-many": 20_001, "/too-many-labels": 1, "/too-long": 1}


@pytest.mark.parametrize(
    "metric",
    [
        "prometheus_target_scrapes_exceeded_sample_limit_total",
        "prometheus_target_scrapes_exceeded_body_size_limit_total",
        "prometheus_target_scrape_pool_exceeded_label_limits_total",
    ],
)
def test_what_the_alert_reads_goes_up(prometheus: Process, metric: str) -> None:
    assert metric in ALERT["expr"]
    assert Watch.wait(lambda: bool(prometheus.query(f"increase({metric}[5m]) > 0")), 20)
    (alert,) = prometheus.query(ALERT["expr"])
    assert alert["metric"] == {"namespace": "monitoring", "pod": "prometheus-0"}


def test_the_runbook_has_the_words_of_the_targets_page(prometheus: Process) -> None:
    targets = prometheus.get("targets")["activeTargets"]
    errors = {
        target["labels"]["path"]: target["lastError"] for target in targets if target["labels"]["job"] == "limited"
    }
    for path, said in REFUSED.items():
        assert said in errors[path]
        assert f"`{said}`" in RUNBOOK
