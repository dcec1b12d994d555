"""The dashboards: what Grafana will read, and what ties them to datasources, alerts and runbooks."""

import copy
import json
import re
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from grafana_foundation_sdk.models import units

from components.elastic.connection import ElasticsearchConnection
from components.grafana import grafana
from components.metrics.rule_files import Rule, steps, threshold
from tests.catalogue import grafana_types
from tests.catalogue.catalogue import exported
from tests.catalogue.queries import Dashboard
from tests.unit.components.grafana import drawing

UIDS = {
    "application-performance.json": "mangakai-application",
    "business.json": "mangakai-business",
    "infrastructure.json": "mangakai-infrastructure",
    "monitoring.json": "mangakai-monitoring",
}
# The panels that the guide names, by dashboard (S-054 to S-058, S-060 to S-062).
GUIDE = {
    "application-performance.json": ["Request Rate", "Response Time", "Error Rate", "Active Tasks", "Queue Length"],
    "infrastructure.json": ["CPU Usage", "Memory Usage", "Network I/O"],
}
UNITS = {value for name, value in vars(units).items() if isinstance(value, str) and not name.startswith("__")}
# The guide's own step at 1 % errors (S-056), of which no alert speaks.
STEPS_OF_THE_GUIDE = {"Error Rate": {0.01: "yellow"}}
OWN = "monitoring|monitoring-agents"
COLORS = {"warning": "yellow", "critical": "red"}

# What an alert asks for only to know that there is something to do.
NOT_DRAWN = {"JaegerNotSavingSpans": {"http_requests_total"}}

TEXTS = grafana.dashboards()
BOARDS: dict[str, Dashboard] = {file: json.loads(text) for file, text in TEXTS.items()}
RULES: dict[str, list[Rule]] = {alert: list(by_severity.values()) for alert, by_severity in steps().items()}
METRICS = {metric for _, metric in exported()}
RUNBOOKS = {alert: rules[0]["annotations"]["runbook_url"] for alert, rules in RULES.items()}


def datasources() -> set[str]:
    fields = dict.fromkeys(("cluster", "version", "url", "ca_secret", "username", "user_secret"), "")
    logs = ElasticsearchConnection(**fields, password=Mock(), nodes=1)
    sources = grafana.Datasources(prometheus="", alertmanager="", authentication=True, logs=logs, jaeger="")
    return {source["uid"] for source in json.loads(grafana._datasources(sources))["datasources"]}


def alerts_of(panel: dict[str, Any]) -> list[str]:
    return [link["title"].removeprefix("Runbook: ") for link in panel.get("links", [])]


def panel_problems(panel: dict[str, Any]) -> list[str]:
    """Return what a panel lacks for the person who reads it."""
    problems = []
    if panel["fieldConfig"]["defaults"].get("unit") not in UNITS:
        problems.append("no unit of Grafana")
    if not panel.get("description", "").endswith("."):
        problems.append("no description")
    if not {source["datasource"]["uid"] for source in (panel, *panel["targets"])} <= datasources():
        problems.append("a datasource that is not provisioned")
    for link in panel.get("links", []):
        if RUNBOOKS.get(link["title"].removeprefix("Runbook: ")) != link["url"]:
            problems.append(f"{link['url']} is not the runbook of {link['title']}")
    return problems + step_problems(panel) + drawing.problems(panel)


def step_problems(panel: dict[str, Any]) -> list[str]:
    """Return the steps of a panel that are not the thresholds of the alerts whose runbooks it links to.

    Alerts without a threshold are true or false: their panels count, and change colour at 1.
    """
    drawn = drawing.steps(panel)
    numbers = {step["value"]: step["color"] for step in drawn[1:]}
    wanted: dict[float, str] = {}
    rules = [rule for alert in alerts_of(panel) for rule in RULES.get(alert, [])]
    for rule in sorted(rules, key=lambda rule: rule["labels"]["severity"] == "critical"):
        if (number := threshold(rule)) is not None:
            wanted[number] = COLORS[rule["labels"]["severity"]]
            if panel["type"] == "stat" and f"< {number:g}" in rule["expr"]:
                # A step's colour begins at its value; what lies below the lowest has the base's. A line has its own.
                numbers = dict(zip(sorted(numbers), (step["color"] for step in drawn), strict=False))
    if not numbers or (not wanted and set(numbers) == {1}):
        return []
    wanted |= STEPS_OF_THE_GUIDE.get(panel["title"], {})
    return [] if numbers == wanted else [f"steps at {numbers}, but the alerts' are at {wanted}"]


def board_problems(file: str, board: Dashboard) -> list[str]:
    """Return what is wrong with a dashboard as a whole."""
    problems = grafana_types.problems(board)
    if board["uid"] != UIDS[file]:
        problems.append(f"uid {board['uid']}: links and bookmarks have {UIDS[file]}")
    if [variable["name"] for variable in board["templating"]["list"]] != ["namespace", "pod"]:
        problems.append("no variables namespace and pod")
    if [(link["type"], link["tags"]) for link in board["links"]] != [("dashboards", ["mangakai"])]:
        problems.append("no links to the other dashboards")
    elif board["links"][0]["includeVars"]:
        problems.append("links that carry a namespace: the other dashboard may be about another one, and keeps it")
    if "mangakai" not in board["tags"]:
        problems.append("no tag by which the others link to it")
    if [panel["id"] for panel in board["panels"]] != [*range(1, len(board["panels"]) + 1)]:
        problems.append("panels are not numbered")
    cells = [cell for panel in board["panels"] for cell in cells_of(panel["gridPos"])]
    if len(cells) != len(set(cells)) or not all(0 <= x < 24 for x, _ in cells):
        problems.append("panels overlap, or leave the grid")
    return problems + [f"{panel['title']}: {text}" for panel in board["panels"] for text in panel_problems(panel)]


def cells_of(grid: dict[str, int]) -> list[tuple[int, int]]:
    return [(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])]


def test_uids_are_the_fixed_ones() -> None:
    assert {file: board["uid"] for file, board in BOARDS.items()} == UIDS
    assert all(board["schemaVersion"] == 42 and board["id"] is None for board in BOARDS.values())


@pytest.mark.parametrize("file", UIDS)
@pytest.mark.requirement("S-002")
def test_a_dashboard_is_whole(file: str) -> None:
    board = BOARDS[file]
    assert board_problems(file, board) == []
    print(f"\n{file}: {len(board['panels'])} panels, {sum(len(panel['targets']) for panel in board['panels'])} queries")


@pytest.mark.parametrize("file", UIDS)
def test_a_file_is_written_as_the_others_are(file: str) -> None:
    assert TEXTS[file] == json.dumps(BOARDS[file], indent=2, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("file", UIDS)
def test_no_dashboard_names_an_environment(file: str) -> None:
    assert not any(name in TEXTS[file] for name in ("mangakai-prod", "staging", "prod-"))
    namespace, pod = BOARDS[file]["templating"]["list"]
    assert "current" not in namespace, "without one, Grafana takes the first that the query finds"
    assert pod["current"]["value"] == ["$__all"]
    queries = " ".join(target["expr"] for panel in BOARDS[file]["panels"] for target in panel["targets"])
    assert "$namespace" in queries
    assert "$pod" in queries


@pytest.mark.parametrize("file", GUIDE)
@pytest.mark.requirement("S-054", "S-055", "S-056", "S-057", "S-058", "S-060", "S-061", "S-062")
def test_the_panels_of_the_guide_come_first(file: str) -> None:
    assert [panel["title"] for panel in BOARDS[file]["panels"]][: len(GUIDE[file])] == GUIDE[file]


@pytest.mark.parametrize("alert", RULES)
def test_the_dashboard_of_an_alert_shows_it(alert: str) -> None:
    for rule in RULES[alert]:
        if uid := rule["annotations"].get("dashboard"):
            (board,) = [board for board in BOARDS.values() if board["uid"] == uid]
            panels = [panel for panel in board["panels"] if alert in alerts_of(panel)]
            assert panels, f"no panel of {uid} links to the runbook of {alert}"
            number = threshold(rule)
            drawn = [step["value"] for panel in panels for step in drawing.steps(panel)]
            assert number is None or number in drawn, f"{alert} compares with {number}, {uid} draws {drawn}"


@pytest.mark.parametrize("alert", RULES)
def test_the_panels_of_an_alert_ask_for_what_it_asks_for(alert: str) -> None:
    """What it leaves out, such as disks that nobody writes, must not look like a fault; what it takes in is seen."""
    for rule in RULES[alert]:
        if uid := rule["annotations"].get("dashboard"):
            (board,) = [board for board in BOARDS.values() if board["uid"] == uid]
            drawn = " ".join(
                target["expr"] for panel in board["panels"] if alert in alerts_of(panel) for target in panel["targets"]
            )
            missed = _metrics(rule["expr"]) - _metrics(drawn) - NOT_DRAWN.get(alert, set())
            assert not missed, f"{uid} shows {alert} without {missed}"
            assert OWN not in rule["expr"] or OWN in drawn, f"{uid} shows {alert} without the stack's own namespaces"


def _metrics(query: str) -> set[str]:
    return {name for name in re.findall(r"\w+", re.sub(r'"[^"]*"', "", query)) if name in METRICS}


def _panel(board: Dashboard, title: str) -> dict[str, Any]:
    return next(panel for panel in board["panels"] if panel["title"] == title)


def _defaults(board: Dashboard, title: str) -> dict[str, Any]:
    defaults: dict[str, Any] = _panel(board, title)["fieldConfig"]["defaults"]
    return defaults


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda b: b.update(uid="another"), "uid another"),
        (lambda b: b.update(refreshes="30s"), "/refreshes: unknown"),
        (lambda b: b["templating"]["list"].pop(), "no variables"),
        (lambda b: b["links"].clear(), "no links"),
        (lambda b: b["links"][0].update(includeVars=True), "links that carry"),
        (lambda b: b["tags"].remove("mangakai"), "no tag"),
        (lambda b: _panel(b, "Redis").update(type="singlestat"), "there is no panel type singlestat"),
        (lambda b: _panel(b, "Redis").update(description=""), "Redis: no description"),
        (lambda b: _panel(b, "Redis")["options"].update(colorMode="loud"), "'loud' is no BigValueColorMode"),
        (lambda b: _panel(b, "Redis")["options"].update(colourMode="value"), "colourMode: unknown"),
        (lambda b: _panel(b, "Redis")["datasource"].update(uid="prom"), "Redis: a datasource"),
        (lambda b: _panel(b, "Redis")["targets"][0]["datasource"].update(uid="prom"), "Redis: a datasource"),
        (lambda b: _panel(b, "Redis")["targets"][0].update(legend="x"), "legend: unknown"),
        (lambda b: _panel(b, "Redis")["links"][0].update(url="https://wiki/redis"), "is not the runbook"),
        (lambda b: _panel(b, "Redis")["links"][0].update(title="Runbook: RedisGone"), "is not the runbook"),
        (lambda b: _panel(b, "Redis")["gridPos"].update(x=1), "panels overlap"),
        (lambda b: _defaults(b, "CPU Usage").pop("unit"), "CPU Usage: no unit"),
        (lambda b: _defaults(b, "CPU Usage").update(unit="pct"), "CPU Usage: no unit"),
        (lambda b: _defaults(b, "CPU Usage").update(min="0"), "'0' is no float"),
        (lambda b: _defaults(b, "CPU Usage")["custom"].update(drawStyle="lines"), "'lines' is no GraphDrawStyle"),
        (lambda b: _defaults(b, "CPU of the Limit")["custom"].pop("axisSoftMax"), "CPU of the Limit: an axis"),
        (lambda b: _defaults(b, "Redis Memory")["custom"].update(axisSoftMax=0.9), "Redis Memory: an axis"),
        (
            lambda b: _defaults(b, "CPU Usage").update(thresholds=_defaults(b, "Redis Memory")["thresholds"]),
            "CPU Usage: an axis",
        ),
        (
            lambda b: _defaults(b, "Volumes Free")["custom"]["thresholdsStyle"].update(mode="dashed+area"),
            "thresholds that are no lines",
        ),
        (lambda b: _panel(b, "CPU Usage")["targets"][0].update(legendFormat="{{status}}"), "colours that go by order"),
        (lambda b: _panel(b, "CPU Usage").update(title="Trace Queries"), "Trace Queries: colours {'ok': None"),
        (lambda b: _defaults(b, "OOM Kills")["color"].update(mode="palette-classic"), "container}} fails in a colour"),
        (lambda b: _defaults(b, "Container Restarts").pop("noValue"), "Container Restarts: says nothing"),
        (lambda b: _panel(b, "Redis")["targets"][0].update(expr="min(redis_up)"), "Redis: no word of its own"),
        (lambda b: _defaults(b, "Redis")["mappings"][0]["options"]["-1"].update(color="red"), "Redis: unwatched"),
        (
            lambda b: _defaults(b, "Pods Not Ready")["thresholds"].update(steps=drawing.steps(_panel(b, "Redis"))[1:]),
            "a colour that judges",
        ),
        (lambda b: drawing.steps(_panel(b, "Redis Memory"))[1].update(value=0.8), "Redis Memory: steps at"),
        (
            lambda b: drawing.steps(_panel(b, "PostgreSQL Connections"))[2].update(color="yellow"),
            "Connections: steps at",
        ),
        (lambda b: drawing.steps(_panel(b, "Volumes Free"))[1].update(color="yellow"), "Volumes Free: steps at"),
    ],
)
def test_damage_is_noticed(damage: Callable[[Dashboard], Any], problem: str) -> None:
    board = copy.deepcopy(BOARDS["infrastructure.json"])
    damage(board)
    noticed = board_problems("infrastructure.json", board)
    assert any(problem in text for text in noticed), noticed
