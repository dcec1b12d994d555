"""A real Prometheus with the shipped rules watches the demo application with its visitors."""

import json
import time
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest

from components.metrics import notifications
from components.settings import read_file
from operations import render
from sandbox.demo.application.running import Ports as ApplicationPorts
from sandbox.demo.loopback import Ports
from sandbox.demo.mangakai import Mangakai
from sandbox.demo.watch import Watch
from tests.catalogue import catalogue
from tests.instrumentation.sinks import Sinks
from tests.offline import ROOT

PORTS = Ports(prometheus=28620, alertmanager=28621, exporters=28622, smtp=28623, webhooks=28624)
APPLICATION_PORTS = ApplicationPorts(redis=28625, backend=28626, backend_metrics=28627, worker_metrics=28628)
SINK_PORT, SPEED = 28629, 15


class Queried:
    """The watch, asked in PromQL."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def series(self, query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._get("query", query=query)["data"]["result"]
        return found

    def value(self, query: str) -> float:
        """Return the value of the only series, or 0 where there is none."""
        found = self.series(query)
        return float(found[0]["value"][1]) if found else 0

    def exemplars(self, query: str) -> list[dict[str, Any]]:
        """Return those of the last five minutes."""
        now = time.time()
        answer = self._get("query_exemplars", query=query, start=str(now - 300), end=str(now))
        return [exemplar for series in answer["data"] for exemplar in series["exemplars"]]

    def _get(self, path: str, **parameters: str) -> Any:
        return self.watch.ask(PORTS.prometheus, f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}")


@pytest.fixture(scope="module")
def sinks() -> Iterator[Sinks]:
    with Sinks(SINK_PORT) as sinks:
        yield sinks


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory, sinks: Sinks) -> Iterator[Queried]:
    settings = read_file(ROOT / "Pulumi.prod.yaml")
    folder = tmp_path_factory.mktemp("watched")
    namespace, environment = settings.application.namespace, {"OTEL_EXPORTER_OTLP_ENDPOINT": sinks.otlp}
    mangakai = Mangakai(folder / "mangakai", APPLICATION_PORTS, namespace, environment)
    links = notifications.links("https://grafana.example.com", "https://kibana.example.com")
    files = {**render.stack_files("prod"), "templates/links.tmpl": links}
    with Watch(files, folder, PORTS, namespace, "canary-mail-77c0", SPEED, mangakai) as watch:
        yield Queried(watch)


@pytest.mark.requirement("S-001", "S-099", "S-100", "S-101", "S-102", "S-103", "S-104", "S-105", "S-106")
def test_every_metric_of_the_catalogue_is_scraped_with_its_labels(prometheus: Queried) -> None:
    assert Watch.wait(lambda: prometheus.value('sum(celery_task_total{status="SUCCESS"})') > 3, 60)
    # What the task's process counts, only a worker shows; what a request brings, only the backend.
    for job, foreign in (("mangakai-backend", "celery_task_"), ("kubernetes-pods", "http_")):
        for name, labels in catalogue.CATALOGUE["jobs"][job]["metrics"].items():
            if name.startswith(foreign):
                continue
            found = prometheus.series(f'{name}{{job="{job}"}}')
            own = {"__name__", *catalogue.target_labels(job)}
            assert found, f"{job} does not show {name}"
            assert set(found[0]["metric"]) - own == set(labels), name


def test_the_graph_of_the_latency_leads_to_a_trace_that_was_sent(prometheus: Queried, sinks: Sinks) -> None:
    panel = next(
        panel
        for panel in json.loads((ROOT / "dashboards/application-performance.json").read_text())["panels"]
        if any(target.get("exemplar") for target in panel.get("targets", []))
    )
    query = next(target["expr"] for target in panel["targets"] if target.get("exemplar"))
    query = query.replace("$namespace", "mangakai-prod").replace("$pod", ".*").replace("$__rate_interval", "1m")
    assert Watch.wait(lambda: bool(prometheus.exemplars(query)), 30), query
    sent = {span.trace_id.hex() for span in sinks.spans}
    exemplars = {exemplar["labels"]["trace_id"] for exemplar in prometheus.exemplars(query)}
    print(f"\n{len(exemplars)} exemplars, {len(exemplars & sent)} of them of {len(sent)} traces")
    assert exemplars & sent


def test_nothing_fires_while_all_is_well(prometheus: Queried) -> None:
    assert prometheus.watch.firing() <= {"Watchdog"}


def test_the_rule_fires_while_requests_fail_and_not_afterwards(prometheus: Queried) -> None:
    began = time.monotonic()
    prometheus.watch.switch("errors")
    assert Watch.wait(lambda: "HighErrorRate" in prometheus.watch.firing(), 90)
    print(f"\nfired after {time.monotonic() - began:.0f} s at speed {SPEED}")
    prometheus.watch.switch("errors")
    assert Watch.wait(lambda: "HighErrorRate" not in prometheus.watch.firing(), 120)
    print(f"over after {time.monotonic() - began:.0f} s")


def test_a_backend_that_is_killed_is_told_and_counts_on_when_it_is_back(prometheus: Queried) -> None:
    prometheus.watch.switch("backend-down")
    assert Watch.wait(lambda: "TargetDown" in prometheus.watch.firing(), 90)
    prometheus.watch.switch("backend-down")
    assert Watch.wait(lambda: prometheus.value('up{job="mangakai-backend"}') == 1, 60)
    assert Watch.wait(lambda: prometheus.value('sum(rate(http_requests_total{job="mangakai-backend"}[1m]))') > 10, 90)
