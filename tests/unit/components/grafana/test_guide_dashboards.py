"""The guide's dashboards and panels: titles, places, legends and units, in what Grafana of production reads."""

import json
import re
from typing import Any

import pytest

from components.grafana import grafana

FILES = grafana.dashboards()
Panel = dict[str, Any]


def board(name: str) -> dict[str, Any]:
    return dict(json.loads(FILES[f"{name}.json"]))


def panel(name: str, title: str) -> Panel:
    (found,) = (each for each in board(name)["panels"] if each["title"] == title)
    return dict(found)


def legends(found: Panel) -> list[str]:
    return [target["legendFormat"] for target in found["targets"]]


@pytest.mark.requirement("S-052", "S-053", "S-059")
def test_the_dashboards() -> None:
    application_, infrastructure = board("application-performance"), board("infrastructure")
    assert (application_["title"], infrastructure["title"]) == (
        "MangakAI Application Performance",
        "MangakAI Infrastructure",
    )
    assert (application_["tags"], infrastructure["tags"]) == (
        ["mangakai", "application"],
        ["mangakai", "infrastructure"],
    )
    assert (application_["timezone"], application_["id"], infrastructure["id"]) == ("browser", None, None)
    assert application_["time"] == {"from": "now-1h", "to": "now"}
    assert application_["refresh"] == "30s"


PLACES = {
    "Request Rate": (8, 12, 0, 0),
    "Response Time": (8, 12, 12, 0),
    "Error Rate": (4, 6, 0, 8),
    "Active Tasks": (4, 6, 6, 8),
    "Queue Length": (8, 12, 12, 8),
}
# Title: board, legends, label of the axis, and what the queries contain.
GRAPHS = {
    "Request Rate": ("application-performance", ["{{method}} {{status}}"], "Requests/sec", "rate(http_requests_total{"),
    "Response Time": (
        "application-performance",
        ["95th percentile", "50th percentile"],
        "Seconds",
        "rate(http_request_duration_seconds_bucket{",
    ),
    "Queue Length": ("application-performance", ["{{queue}}"], "Tasks", "celery_queue_length{"),
    "CPU Usage": ("infrastructure", ["{{pod}}"], "CPU %", "rate(container_cpu_usage_seconds_total{"),
    "Memory Usage": ("infrastructure", ["{{pod}}"], "Memory", "container_memory_working_set_bytes{"),
}


@pytest.mark.requirement("S-054", "S-055", "S-056", "S-057", "S-058")
@pytest.mark.parametrize("title", PLACES)
def test_the_panels_of_the_application_lie_where_the_guide_has_them(title: str) -> None:
    grid = panel("application-performance", title)["gridPos"]
    assert (grid["h"], grid["w"], grid["x"], grid["y"]) == PLACES[title]


@pytest.mark.requirement("S-054", "S-055", "S-058", "S-060", "S-061")
@pytest.mark.parametrize("title", GRAPHS)
def test_a_graph(title: str) -> None:
    file, legend, axis, query = GRAPHS[title]
    found = panel(file, title)
    defaults = found["fieldConfig"]["defaults"]
    assert (found["type"], legends(found), defaults["min"]) == ("timeseries", legend, 0)
    assert defaults["custom"]["axisLabel"] == axis
    assert all(query in target["expr"] for target in found["targets"])


@pytest.mark.requirement("S-055")
def test_the_percentiles() -> None:
    asked = [
        re.findall(r"quantile\(([\d.]+)", each["expr"])
        for each in panel("application-performance", "Response Time")["targets"]
    ]
    assert asked == [["0.95"], ["0.50"]]


@pytest.mark.requirement("S-056", "S-057")
def test_the_single_numbers() -> None:
    errors, tasks = (panel("application-performance", title) for title in ("Error Rate", "Active Tasks"))
    for found in (errors, tasks):
        assert (found["type"], found["options"]["reduceOptions"]["calcs"]) == ("stat", ["lastNotNull"])
    defaults = errors["fieldConfig"]["defaults"]
    assert (defaults["unit"], errors["options"]["colorMode"]) == ("percentunit", "background")
    assert [step["value"] for step in defaults["thresholds"]["steps"]] == [None, 0.01, 0.05]
    assert tasks["fieldConfig"]["defaults"]["unit"] == "short"
    assert "celery_active_tasks" in tasks["targets"][0]["expr"]


@pytest.mark.requirement("S-062")
def test_the_network() -> None:
    found = panel("infrastructure", "Network I/O")
    assert legends(found) == ["{{pod}} - RX", "{{pod}} - TX"]
    for target, direction in zip(found["targets"], ("receive", "transmit"), strict=True):
        assert f"rate(container_network_{direction}_bytes_total{{" in target["expr"]
