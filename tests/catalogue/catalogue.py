"""What is scraped, and which of it a selector reaches."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from promql_parser import Matcher, MatchOp, VectorSelector

from components.metrics.scrape_jobs import Job, jobs
from components.settings.application import ApplicationSettings

Labels = frozenset[str]
CATALOGUE: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "catalogue.yml").read_text())


class ClosureError(Exception):
    """A query asks for what nobody exposes; the text says which query it cannot be and why."""


@dataclass(frozen=True)
class Reached:
    """What a selector can return: (job, metric) pairs, and the labels that any of them has."""

    exports: frozenset[tuple[str, str]]
    labels: Labels


@cache
def scraped() -> dict[str, Job]:
    """Return the scrape jobs by name, as every stack has them."""
    return {job["job_name"]: job for job in jobs(ApplicationSettings(), authentication=True, backups=True)}


def target_labels(job: str) -> Labels:
    """Return the labels that Prometheus and the relabelling give each series of a job."""
    targets = (rule.get("target_label", "__none") for rule in scraped()[job]["relabel_configs"])
    return frozenset({"job", "instance", *(label for label in targets if not label.startswith("__"))})


@cache
def exported() -> dict[tuple[str, str], Labels]:
    """Return the labels of each metric of each job, those of the target among them."""
    own = {(job, name): labels for job, entry in CATALOGUE["jobs"].items() for name, labels in entry["metrics"].items()}
    every = {(job, name): labels for job in scraped() for name, labels in CATALOGUE["written"]["of_targets"].items()}
    alerts = {("", name): frozenset(labels) for name, labels in CATALOGUE["written"]["of_alerts"].items()}
    return {pair: target_labels(pair[0]) | set(labels) for pair, labels in (own | every).items()} | alerts


def reached(selector: VectorSelector) -> Reached:
    """Return what a selector can return. Raises ClosureError where that is nothing, or a label is not there."""
    matchers = selector.matchers.matchers
    names = {selector.name} if selector.name else _values(matchers, "__name__", {name for _, name in exported()})
    wanted = _values(matchers, "job", set(scraped())) if any(m.name == "job" for m in matchers) else {*scraped(), ""}
    exports = frozenset((job, name) for job, name in exported() if name in names and job in wanted)
    if missing := names - {name for _, name in exports}:
        raise ClosureError(f"{', '.join(sorted(missing))}: not exposed by {', '.join(sorted(wanted - {''}))}")
    labels = frozenset[str]().union(*(exported()[pair] for pair in exports))
    if unknown := {matcher.name for matcher in matchers} - labels - {"__name__"}:
        raise ClosureError(f"{', '.join(sorted(names))}: has no label {', '.join(sorted(unknown))}")
    return Reached(exports, labels)


def _values(matchers: list[Matcher], label: str, known: set[str]) -> set[str]:
    """Return which known values of a label its matcher takes. Each alternative of a regex has to take one."""
    found: set[str] = set()
    for matcher in (matcher for matcher in matchers if matcher.name == label):
        if matcher.op not in (MatchOp.Equal, MatchOp.Re):
            raise ClosureError(f"{matcher}: names what is not wanted; name what is")
        for alternative in matcher.value.split("|") if matcher.op == MatchOp.Re else [re.escape(matcher.value)]:
            taken = {value for value in known if re.fullmatch(alternative, value)}
            if not taken:
                raise ClosureError(f"{matcher}: there is no {label} {alternative}")
            found |= taken
    return found
