"""Findings as a table for people, and as JSON for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from .finding import Finding, Severity
from .runner import Check

_WORDS = {Severity.CRITICAL: "critical", Severity.WARNING: "warnings", Severity.UNKNOWN: "not looked at"}
_INDENT = " " * 20


def table(stack: str, findings: Sequence[Finding], checks: Sequence[Check], now: datetime) -> str:
    """Return the faults, each with its cause and next step; then what else is worth knowing."""
    faults = [one for one in findings if one.severity is not Severity.INFO]
    rest = [one for one in findings if one.severity is Severity.INFO]
    counts = {severity: sum(one.severity is severity for one in faults) for severity in _WORDS}
    verdict = ", ".join(f"{count} {_WORDS[severity]}" for severity, count in counts.items() if count)
    topics = ", ".join(dict.fromkeys(check.topic for check in checks))
    head = [f"Stack {stack}: nothing found. Looked at: {topics}."]
    if faults:
        head = [f"Stack {stack}: {verdict}.", "", f"{'SEVERITY':10}{'SINCE':10}WHAT"]
    return "\n".join([*head, *(line for one in faults for line in _fault(one, now)), "", *_rest(rest, now)])


def _fault(one: Finding, now: datetime) -> list[str]:
    page = f"docs/runbooks/{one.runbook}.md" if one.runbook else ""
    more = {"cause": one.cause, "next": one.next_step, "runbook": page}
    return [
        f"{one.severity:10}{_ago(one.since, now):10}{one.subject}: {_line(one.what)}",
        *(f"{_INDENT}{key + ':':9}{_line(text)}" for key, text in more.items() if text),
    ]


def _rest(rest: Sequence[Finding], now: datetime) -> list[str]:
    width = max((len(one.subject) for one in rest if not one.lines), default=0)
    lines = []
    for one in sorted(rest, key=lambda one: (bool(one.lines), one.subject)):
        ago = f" ({_ago(one.since, now)} ago)" if one.since else ""
        lines.append(f"{one.subject:{0 if one.lines else width}}  {_line(one.what)}{ago}")
        lines += [f"  | {line}" for line in one.lines]
    return lines


def _line(text: str) -> str:
    return " ".join(text.split())


def _ago(since: datetime | None, now: datetime) -> str:
    if since is None:
        return "-"
    seconds = max(0, int((now - since).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def as_json(stack: str, findings: Sequence[Finding], checks: Sequence[Check]) -> str:
    """Return all of it as JSON."""
    looked_at = [f"{check.topic} ({check.namespace})" for check in checks]
    found = [asdict(one) | {"since": one.since and one.since.isoformat()} for one in findings]
    return json.dumps({"stack": stack, "looked_at": looked_at, "findings": found}, indent=2)
