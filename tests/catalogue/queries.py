"""Every PromQL query of the rules, dashboards and runbooks, with the labels that its legend or message prints."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import promql_parser
import yaml
from promql_parser import Expr, VectorSelector

from tests.catalogue.catalogue import ClosureError, reached
from tests.catalogue.labels import labels_of

Dashboard = dict[str, Any]
_LABEL_VALUES = re.compile(r"label_values\((?P<selector>.+), (?P<label>\w+)\)")


@dataclass(frozen=True)
class Query:
    """One query: `where` it is for messages, and the labels that are `shown` of its result."""

    where: str
    text: str
    shown: frozenset[str]

    def parse(self) -> Expr:
        """Return the query as Prometheus reads it. Raises ClosureError."""
        try:
            return promql_parser.parse(self.text)
        except ValueError as error:
            raise ClosureError(f"{self.where}: {error}") from error


def of_rules(file: str, text: str) -> list[Query]:
    """Return the queries of a rule file, with the labels that the messages print."""
    return [
        Query(f"{file}: {rule['alert']}", rule["expr"], _printed(rule) - rule["labels"].keys())
        for group in yaml.safe_load(text)["groups"]
        for rule in group["rules"]
    ]


def of_dashboard(file: str, dashboard: Dashboard) -> list[Query]:
    """Return the queries of a dashboard's panels and variables. Raises ClosureError for a variable it has not."""
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    fill = partial(_fill, variables)
    panels = [
        Query(
            f"{file}: {panel['title']}",
            fill(target["expr"]),
            frozenset(re.findall(r"{{(\w+)}}", target.get("legendFormat", ""))),
        )
        for panel in dashboard["panels"]
        for target in panel["targets"]
    ]
    return panels + [_of_variable(file, variable, fill(variable["definition"])) for variable in _listed(dashboard)]


def of_runbook(file: str, text: str) -> list[Query]:
    """Return the queries that a runbook has the reader copy: one a block."""
    blocks = re.findall(r"^ *```promql\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return [Query(file, textwrap.dedent(block), frozenset()) for block in blocks]


def problems(queries: list[Query]) -> list[str]:
    """Return what is wrong with queries: unreadable, or asking for a metric or label that nobody exposes."""
    return [problem for query in queries for problem in _problems(query)]


def reached_by(queries: list[Query]) -> set[tuple[str, str]]:
    """Return the (job, metric) pairs that queries use."""
    return {pair for query in queries for selector in _selectors(query.parse()) for pair in reached(selector).exports}


def _problems(query: Query) -> Iterator[str]:
    try:
        labels = labels_of(query.parse()) or frozenset()
    except ClosureError as error:
        yield f"{query.where}: {error}"
        return
    if missing := query.shown - labels:
        yield f"{query.where}: shows {', '.join(sorted(missing))}, which is no label of the result"


def _selectors(expr: Expr) -> list[VectorSelector]:
    found: list[VectorSelector] = []
    promql_parser.walk(expr, lambda node: found.append(node) if isinstance(node, VectorSelector) else None)
    return found


def _printed(rule: dict[str, Any]) -> frozenset[str]:
    return frozenset(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))


def _fill(variables: set[str], text: str) -> str:
    """Return a query with a value in place of each of the dashboard's variables; all stand in a label's value.

    Grafana's own, such as $__rate_interval, are refused: panels look at the same windows as the rules.
    """
    if unknown := set(re.findall(r"\$(\w+)", text)) - variables:
        raise ClosureError(f"{text}: there is no variable {', '.join(sorted(unknown))}")
    return re.sub(r"\$\w+", "value", text)


def _listed(dashboard: Dashboard) -> list[dict[str, Any]]:
    return list(dashboard["templating"]["list"])


def _of_variable(file: str, variable: dict[str, Any], definition: str) -> Query:
    parts = _LABEL_VALUES.fullmatch(definition)
    if parts is None:
        raise ClosureError(f"{file}: ${variable['name']}: {definition} is no label_values(selector, label)")
    return Query(f"{file}: ${variable['name']}", parts["selector"], frozenset({parts["label"]}))
