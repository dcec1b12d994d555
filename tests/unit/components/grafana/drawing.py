"""What of a panel misleads whoever was just woken: its axis, lines and colours, and what it says where it is empty."""

import re
from typing import Any

Panel = dict[str, Any]

# The series of panels that show how something went, as they are named in the legend, and what tells it at a glance.
OUTCOMES: dict[str, dict[str, str | None]] = {
    "Request Rate": {"GET 200": None, "POST 503": "red"},
    "Manga Generated per Hour": {"success": "green", "failure": "red"},
    "Notifications": {"email": None, "email failed": "red"},
    "Grafana Requests": {"200": None, "500": "red"},
    "Spans": {"saved": "green", "dropped": "yellow", "not saved": "red"},
    "Trace Queries": {"ok": "green", "failed": "red", "failed or not found": "blue"},
    "Elasticsearch: Health": {"logs: red": "red", "logs: yellow": "yellow", "logs: no answer": "purple"},
}
OUTCOME_LABELS = ("{{status}}", "{{status_code}}", "{{result}}")
# What a query asks for that should not be.
FAILURES = re.compile(r'fail|error|refused|rejected|exceeded|restarts_total|5\.\.|"err"', re.IGNORECASE)
# What finds nothing while all is well: a comparison, failures that never were, parts that a stack may lack.
EMPTY_WHEN_WELL = re.compile(r"([<>]=?|==) \d|5\.\.|prometheus_remote_storage|backup_")


def problems(panel: Panel) -> list[str]:
    """Return what of a panel misleads at a glance."""
    if panel["type"] == "stat":
        return _stat_problems(panel)
    return _empty_problems(panel) + (_graph_problems(panel) if panel["type"] == "timeseries" else [])


def _stat_problems(panel: Panel) -> list[str]:
    """Return what is wrong with the colours of a number.

    Where a query finds nothing, Grafana says "No data" in the colour of the lowest step.
    """
    defaults = panel["fieldConfig"]["defaults"]
    found = []
    if not all(re.search(r" or vector\(-?\d\)$", target["expr"]) for target in panel["targets"]):
        unknown = [
            mapping["options"]["result"]
            for mapping in defaults.get("mappings", [])
            if mapping["type"] == "special" and mapping["options"]["match"] == "null+nan"
        ]
        if [result["color"] for result in unknown] != ["purple"]:
            found.append("no word of its own, in purple, where nothing is known")
    elif any(target["expr"].endswith("vector(-1)") for target in panel["targets"]) and (
        defaults["mappings"][0]["options"]["-1"]["color"] != "purple"
    ):
        found.append("unwatched is not purple")
    if len(steps(panel)) == 1 and steps(panel)[0]["color"] != "text":
        found.append("a colour that judges, without a step to judge by")
    return found


def _empty_problems(panel: Panel) -> list[str]:
    expressions = [re.sub(r"\{[^}]*5\.\.[^}]*\}", "5..", target["expr"]) for target in panel["targets"]]
    empty = any(EMPTY_WHEN_WELL.search(re.sub(r"\{[^}]*\}", "", expression)) for expression in expressions)
    said = panel["fieldConfig"]["defaults"].get("noValue", "")
    return ["says nothing where it is empty"] if empty and not said.endswith((".", ").")) else []


def _graph_problems(panel: Panel) -> list[str]:
    defaults = panel["fieldConfig"]["defaults"]
    custom = defaults["custom"]
    found = []
    percent = defaults.get("unit") == "percentunit"
    # Where the steps colour a series, by its last value, there are none to be drawn.
    lines = [] if defaults["color"]["mode"] == "thresholds" else steps(panel)
    highest = max((step["value"] or 0 for step in lines), default=0)
    end = defaults.get("max", custom.get("axisSoftMax", 0))
    # Where all values are 0 and the axis has no end, Grafana draws it up to 100, which is 10000 %.
    if (percent or lines) and not highest < end <= (1 if percent else 2 * highest):
        found.append("an axis that ends nowhere, or below the steps")
    if lines and custom.get("thresholdsStyle") != {"mode": "dashed"}:
        # An area begins at its step, and so does its colour: where low is bad, the one of a line would be wrong.
        found.append("thresholds that are no lines")
    outcomes = OUTCOMES.get(panel["title"], {})
    if not outcomes and any(label in target["legendFormat"] for label in OUTCOME_LABELS for target in panel["targets"]):
        found.append("colours that go by order, of series that say how something went")
    drawn = {name: color_of(panel, name) for name in outcomes}
    if drawn != outcomes:
        found.append(f"colours {drawn} instead of {outcomes}")
    for target in panel["targets"]:
        by_default = defaults["color"] == {"mode": "shades", "fixedColor": "red"}
        if FAILURES.search(target["expr"]) and not by_default and not color_of(panel, target["legendFormat"]):
            found.append(f"{target['legendFormat'] or target['refId']} fails in a colour that goes by order")
    return found


def color_of(panel: Panel, name: str) -> str | None:
    """Return the colour that is fixed for a series, or None where it comes by order."""
    for override in panel["fieldConfig"]["overrides"]:
        kind, options = override["matcher"]["id"], override["matcher"]["options"]
        if name == options if kind == "byName" else re.search(options.strip("/"), name):
            (property_,) = override["properties"]
            return str(property_["value"]["fixedColor"])
    return None


def steps(panel: Panel) -> list[dict[str, Any]]:
    """Return the steps of a panel, the one that begins nowhere first."""
    return list(panel["fieldConfig"]["defaults"].get("thresholds", {"steps": []})["steps"])
