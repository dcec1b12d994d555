"""The alert rules as they lie in `rules/`: where an alert's steps are, and where a step's threshold is."""

import re
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from ..foundation.certificate import UNTIL
from . import yaml_text

RULES = Path(__file__).parent.parent.parent / "rules"
# `> 0.05 # threshold`: PromQL takes the rest of the line for a comment.
THRESHOLD = re.compile(r"(?<= )\d+(\.\d+)?(?= # threshold$)", re.MULTILINE)

# Of what waits for a worker, what counts as manga that were asked for: in all queues, unless a stack names some.
GENERATION_QUEUES = 'queue=~".+"'

Rule = dict[str, Any]


def constant(time: datetime) -> str:
    """Return the expression of a time, as Prometheus counts."""
    return f"vector({time.timestamp():.0f})"


# When the first of the certificates ends that the program makes: the latest, unless a stack has one that ends before.
CERTIFICATES_UNTIL = constant(UNTIL)


@cache
def steps() -> dict[str, dict[str, Rule]]:
    """Return the rules of each alert, by severity: where it has a warning and a critical step, both."""
    found: dict[str, dict[str, Rule]] = {}
    for path in sorted(RULES.glob("*.yml")):
        for group in yaml_text.load(path.read_text())["groups"]:
            for rule in group["rules"]:
                found.setdefault(rule["alert"], {})[rule["labels"]["severity"]] = rule
    return found


def threshold(rule: Rule) -> float | None:
    """Return the number that a rule compares with, or None where it has no threshold."""
    found = THRESHOLD.search(rule["expr"])
    return float(found[0]) if found else None
