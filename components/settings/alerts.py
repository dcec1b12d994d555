"""A stack's changes of the alerts in `rules/`, and the address of their runbooks."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from ..metrics.rule_files import steps, threshold
from .errors import WrongValuesError
from .types import Duration, Https, Model, Text, as_number

Severity = Literal["warning", "critical"]
_LABEL = re.compile(r"[a-z_][a-z0-9_]*")
_ROUTED = {"alertname", "severity", "service", "cluster"}


def _numbers(value: Any) -> Any:
    value = {key: as_number(each) for key, each in value.items()} if isinstance(value, dict) else as_number(value)
    numbers = value.values() if isinstance(value, dict) else [value]
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in numbers):
        raise ValueError("a number, or {warning: a number, critical: a number}, is allowed")
    return value


class AlertSettings(Model):
    """A stack's changes of one alert.

    Args:
        enabled: whether it is evaluated at all.
        for_: how long its expression has to hold, for each of its steps.
        severity: another one; not where it has two steps.
        threshold: the number that it compares with; where it has two steps, one each: `{warning: …, critical: …}`.
        labels: further labels.
    """

    enabled: bool = True
    for_: Annotated[Duration | None, Field(alias="for")] = None
    severity: Severity | None = None
    threshold: Annotated[float | dict[str, float] | None, BeforeValidator(_numbers)] = None
    labels: dict[str, Text] = {}

    def thresholds(self, alert: str) -> dict[str, float]:
        """Return the thresholds that this stack sets for `alert`, by the severity of the step."""
        if self.threshold is None:
            return {}
        if isinstance(self.threshold, dict):
            return {str(severity): number for severity, number in self.threshold.items()}
        return dict.fromkeys(steps()[alert], self.threshold)


class AlertsSettings(Model):
    """A stack's changes of all alerts. `runbooks` is where the wiki has `docs/runbooks/`; `rules` is by alert."""

    runbooks: Https = "https://wiki.mangakai.com/runbooks/"
    rules: dict[str, AlertSettings] = {}

    @field_validator("rules")
    @classmethod
    def _possible(cls, rules: dict[str, AlertSettings]) -> dict[str, AlertSettings]:
        if problems := [f"{name}{problem}" for name, rule in rules.items() for problem in _problems(name, rule)]:
            raise WrongValuesError(*problems)
        return rules


def _problems(alert: str, changed: AlertSettings) -> list[str]:
    """Return what is impossible about a change, as the rest of a sentence that begins with the alert's name."""
    if alert not in steps():
        return [f": there is no such alert; there are: {', '.join(sorted(steps()))}"]
    found = []
    severities = sorted(steps()[alert])
    if "none" in severities and (not changed.enabled or changed.severity or changed.for_):
        found.append(": it always fires, so that its absence is noticed; only labels may be added")
    if changed.severity and len(severities) > 1:
        found.append(
            f".severity: found {changed.severity!r}; it has a step for each already: {' and '.join(severities)}"
        )
    if taken := sorted(_ROUTED & changed.labels.keys()):
        found.append(f".labels: found {', '.join(taken)}; routes and inhibition rest on these: take another name")
    if wrong := sorted(name for name in changed.labels if not _LABEL.fullmatch(name)):
        found.append(f".labels: found {', '.join(wrong)}; names such as team are allowed: a to z, 0 to 9 and _")
    return found + _threshold_problems(alert, changed)


def _threshold_problems(alert: str, changed: AlertSettings) -> list[str]:
    defaults = {severity: threshold(rule) for severity, rule in steps()[alert].items()}
    numbers: dict[str, Any] = {severity: number for severity, number in defaults.items() if number is not None}
    if changed.threshold is None:
        return []
    if not numbers:
        return [f".threshold: found {changed.threshold}; it has none: its expression is true or false"]
    if not isinstance(changed.threshold, dict) and len(numbers) > 1:
        return [f".threshold: found {changed.threshold}; it has two steps: {{warning: …, critical: …}} is allowed"]
    found = []
    for severity, number in changed.thresholds(alert).items():
        if severity not in numbers:
            found.append(f".threshold.{severity}: it has no such step, but {', '.join(numbers)}")
        elif numbers[severity] < 1 and not 0 < number < 1:
            found.append(f".threshold: found {number:g}; a share above 0 and below 1 is allowed")
        elif number <= 0:
            found.append(f".threshold: found {number:g}; a number above 0 is allowed")
    after = numbers | changed.thresholds(alert)
    if not found and len(numbers) > 1:
        is_falling = numbers["critical"] < numbers["warning"]
        if after["critical"] == after["warning"] or (after["critical"] < after["warning"]) is not is_falling:
            side = "below" if is_falling else "above"
            found.append(f".threshold: critical {after['critical']:g} has to be {side} warning {after['warning']:g}")
    return found
