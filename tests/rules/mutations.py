"""Rule files with one thing changed, each a change that promtool's tests have to notice."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import promql_parser
import yaml

from components.metrics.rule_files import THRESHOLD

_RULE = re.compile(
    r"- alert: (?P<alert>\w+)\n\s+expr: (?:\|\n)?(?P<expr>.*?)\n"
    r"(?P<rest>\s+(?:for|keep_firing_for|labels):.*?)(?=\s+- alert:|\Z)",
    re.S,
)
_FOR = re.compile(r"(?<=for: )(\d+)m$", re.MULTILINE)
_SEVERITY = re.compile(r"severity: (\w+)")
_COMPARATOR = re.compile(r"(?<=\s)(==|!=|>=|<=|>|<)(?= )")
_AGGREGATION = re.compile(r"\b(?:sum|min|max|count)\b(?: by \([^)]*\))? ?(?=\()")
_MATCHER = re.compile(r'(?<=[{,])\w+(?:=~|!~|!=|=)"[^"]*",?')
_TURNED = {"==": "!=", "!=": "==", ">": "<", "<": ">", ">=": "<=", "<=": ">="}


@dataclass(frozen=True)
class Mutation:
    """One change to a rule of an alert: its unique name, and the rules of this alert with the change."""

    alert: str
    name: str
    rules: str


@dataclass(frozen=True)
class _Edit:
    """One change: what it is, and by what the text from `start` to `end` is replaced."""

    what: str
    start: int
    end: int
    by: str


def of_file(path: Path) -> list[Mutation]:
    """Return all mutations of a rule file. What PromQL does not take is none: `{}` for a selector's only matcher."""
    text = path.read_text()
    found = []
    for rule in _RULE.finditer(text):
        severity = _SEVERITY.search(rule["rest"])
        assert severity, rule["alert"]
        times: Counter[str] = Counter()
        for edit in _edits(text, *rule.span("expr"), *rule.span("rest")):
            times[edit.what] += 1
            nth = f" ({times[edit.what]})" if times[edit.what] > 1 else ""
            name = f"{rule['alert']}, {severity[1]}: {edit.what}{nth}"
            changed = text[: edit.start] + edit.by + text[edit.end :]
            expression = changed[rule.start("expr") : rule.end("expr") + len(changed) - len(text)]
            if edit.start >= rule.start("rest") or _parses(expression):
                found.append(Mutation(rule["alert"], name, only(rule["alert"], changed)))
    return found


def only(alert: str, text: str) -> str:
    """Return a rule file with the rules of one alert, so that nothing else is evaluated."""
    groups = yaml.safe_load(text)["groups"]
    kept = [{**group, "rules": [rule for rule in group["rules"] if rule["alert"] == alert]} for group in groups]
    return json.dumps({"groups": kept})


def _edits(text: str, start: int, end: int, rest: int, rest_end: int) -> Iterator[_Edit]:
    """Find what to change in the expression from `start` to `end`, and in the rest of the rule."""
    for found in THRESHOLD.finditer(text, start, end):
        for sign, factor in {"+": 1.1, "-": 0.9}.items():
            yield _Edit(f"threshold {found[0]} {sign}10 %", *found.span(), f"{float(found[0]) * factor:.6g}")
    for found in _FOR.finditer(text, rest, rest_end):
        yield _Edit(f"for {found[0]} halved", *found.span(), f"{int(found[1]) * 30}s")
    for found in _COMPARATOR.finditer(text, start, end):
        yield _Edit(f"{found[0]} turned", *found.span(), _TURNED[found[0]])
    for found in _AGGREGATION.finditer(text, start, end):
        # A sign, since `group_left (…)` would name labels.
        yield _Edit(f"{found[0].strip()} dropped", *found.span(), "+")
    for found in _MATCHER.finditer(text, start, end):
        yield _Edit(f"{found[0].rstrip(',')} dropped", *found.span(), "")


def _parses(expression: str) -> bool:
    try:
        promql_parser.parse(expression)
    except ValueError:
        return False
    return True
