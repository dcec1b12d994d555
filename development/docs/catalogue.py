"""The alerts of `rules/` and the panels of `dashboards/`."""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from components.metrics.rule_files import steps

from .pages import ROOT, DocsError, table

_COMPARED = re.compile(r"([<>]=?) (\d+(?:\.\d+)?) # threshold$", re.MULTILINE)


def alerts(_: str) -> str:
    """Return the table of the alerts, in the order of their files."""
    return table(("alert", "severity", "threshold", "for", "evaluated", "service", "rule"), _alerts())


def _alerts() -> Iterator[tuple[str, ...]]:
    for path in sorted((ROOT / "rules").glob("*.yml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                page = rule["annotations"]["runbook_url"].rpartition("/")[2]
                compared = _COMPARED.search(rule["expr"])
                yield (
                    f"[{rule['alert']}](runbooks/{page}.md)",
                    rule["labels"]["severity"],
                    f"`{compared[1]} {compared[2]}`" if compared else "",
                    str(rule.get("for", "0s")),
                    f"every {group.get('interval', '15s')}",
                    rule["labels"]["service"],
                    f"[{path.name}](../rules/{path.name})",
                )


def runbooks(_: str) -> str:
    """Return the table of the runbooks, each with the first sentence of its page.

    Raises:
        DocsError: an alert has no page, or a page has no sentence below its title.
    """
    return table(("alert", "severity", "in one line"), _runbooks())


def _runbooks() -> Iterator[tuple[str, ...]]:
    for alert, rules in steps().items():
        name = next(iter(rules.values()))["annotations"]["runbook_url"].rpartition("/")[2]
        page = ROOT / "docs" / "runbooks" / f"{name}.md"
        found = re.match(rf"# {alert}\n\n([^#\n].*\.)\n\n## ", page.read_text()) if page.is_file() else None
        if not found:
            raise DocsError(
                f"{alert} needs runbooks/{name}.md, with its name, a line that says what it is, and headings"
            )

        yield f"[{alert}]({name}.md)", ", ".join(sorted(rules, reverse=True)), found[1]


def dashboards(_: str) -> str:
    """Return the dashboards of Grafana and Kibana with their panels."""
    text = ""
    for path in sorted((ROOT / "dashboards").glob("*.json")):
        board = json.loads(path.read_text())
        link = f"[{path.name}](../dashboards/{path.name})"
        text += f"\n## {board['title']}\n\nGrafana, `/d/{board['uid']}`, {link}, {len(board['panels'])} panels.\n\n"
        text += table(("panel", "what it shows"), [(one["title"], one["description"]) for one in board["panels"]])
    for path in sorted((ROOT / "dashboards" / "kibana").glob("*.ndjson")):
        for item in map(json.loads, path.read_text().splitlines()):
            if item["type"] == "dashboard":
                text += _kibana(path.name, item)
    return text + "\n"


def _kibana(file: str, item: dict[str, Any]) -> str:
    attributes = item["attributes"]
    panels = json.loads(attributes["panelsJSON"])
    titles = [f"- {panel['embeddableConfig']['title']}\n" for panel in panels]
    link = f"[{file}](../dashboards/kibana/{file})"
    head = f"Kibana, `/app/dashboards#/view/{item['id']}`, {link}, {len(panels)} panels."
    return f"\n## {attributes['title']}\n\n{head}\n\n{''.join(titles)}"
