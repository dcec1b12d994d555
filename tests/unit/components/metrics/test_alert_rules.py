"""What a stack may change about the alerts, what it may not, and what the rules are then."""

import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml
from pydantic import ValidationError

from components.metrics import alert_rules
from components.metrics.rule_files import RULES, THRESHOLD, Rule, steps, threshold
from components.metrics.scrape_jobs import SCRAPE
from components.settings.alerts import AlertsSettings
from components.settings.application import ApplicationSettings
from components.settings.errors import explain

APPLICATION = ApplicationSettings(namespace="manga-test")
COMPARISONS = {"==", "!=", "<", ">", "<=", ">="}
# None, one, and the least numbers of events that make a share of them worth an alert.
NO_THRESHOLDS = {0.0, 1.0, 3.0, 10.0}


def constants(expression: Any) -> Iterator[float]:
    """Yield the numbers that a parsed expression compares something with."""
    if isinstance(expression, promql_parser.BinaryExpr):
        sides = (expression.lhs, expression.rhs)
        if str(expression.op) in COMPARISONS:
            yield from (number for side in sides if (number := value(side)) is not None)
        for side in sides:
            yield from constants(side)
    elif isinstance(expression, promql_parser.Call):
        for argument in expression.args:
            yield from constants(argument)
    elif hasattr(expression, "expr"):
        yield from constants(expression.expr)


def value(expression: Any) -> float | None:
    """Return what an expression without a series is, else None."""
    if isinstance(expression, promql_parser.NumberLiteral):
        return float(expression.val)
    if isinstance(expression, promql_parser.BinaryExpr):
        left, right = value(expression.lhs), value(expression.rhs)
        return None if left is None or right is None else float("nan")
    if isinstance(expression, (promql_parser.ParenExpr, promql_parser.UnaryExpr)):
        inner = value(expression.expr)
        negated = isinstance(expression, promql_parser.UnaryExpr)
        return -inner if inner is not None and negated else inner
    return None


def rendered(rules: dict[str, object], **settings: str) -> dict[tuple[str, str], Rule]:
    """Return the rules of a stack by alert and severity."""
    files = alert_rules.render(AlertsSettings.model_validate({"rules": rules, **settings}), APPLICATION)
    parsed = [yaml.safe_load(text) for text in files.values()]
    all_rules = [rule for file in parsed for group in file["groups"] for rule in group["rules"]]
    return {(rule["alert"], rule["labels"]["severity"]): rule for rule in all_rules}


def problems(rules: dict[str, object]) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        AlertsSettings.model_validate({"rules": rules})
    return explain(caught.value, AlertsSettings)


def test_without_changes_the_rules_are_those_of_the_files() -> None:
    written = {
        name: yaml.safe_load((RULES / name).read_text().replace("$application", "manga-test"))
        for name in (path.name for path in RULES.glob("*.yml"))
    }
    assert {
        name: yaml.safe_load(text) for name, text in alert_rules.render(AlertsSettings(), APPLICATION).items()
    } == written


def test_no_file_names_an_environment() -> None:
    for path in RULES.glob("*.yml"):
        expressions = [rule["expr"] for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]
        assert not [expr for expr in expressions if "mangakai-prod" in expr or "staging" in expr], path.name
    texts = alert_rules.render(AlertsSettings(), APPLICATION).values()
    assert not [text for text in texts if "$application" in text]
    assert any('namespace="manga-test"' in text for text in texts)


def test_each_number_that_a_rule_compares_with_is_marked() -> None:
    rules = [rule for by_severity in steps().values() for rule in by_severity.values()]
    assert sum(1 for rule in rules if threshold(rule) is not None) > 15
    for rule in rules:
        marked = {float(found[0]) for found in THRESHOLD.finditer(rule["expr"])}
        assert set(constants(promql_parser.parse(rule["expr"]))) <= NO_THRESHOLDS | marked, rule["alert"]


# `up` is Prometheus' own word and never missing; how many replicas are seen only falls while one is not asked.
NEVER_MISSING = {"up", "alertmanager_cluster_members"}


def instants(expression: Any) -> set[str]:
    """Return the metrics of which an expression asks the newest value only; their absence counts for nothing."""
    if isinstance(expression, promql_parser.VectorSelector):
        return {expression.name or ""}
    if isinstance(expression, promql_parser.BinaryExpr):
        return instants(expression.lhs) | instants(expression.rhs)
    if isinstance(expression, promql_parser.Call):
        arguments = [] if expression.func.name == "absent" else expression.args
        return set[str]().union(*map(instants, arguments))
    return instants(expression.expr) if hasattr(expression, "expr") else set()


def test_a_failed_scrape_begins_no_alert_anew_and_ends_none() -> None:
    """What has to hold for more than a minute is asked of a range, and what a gap would end is held for 5 minutes."""
    found = 0
    for rule in (rule for by_severity in steps().values() for rule in by_severity.values()):
        asked = instants(promql_parser.parse(rule["expr"])) - NEVER_MISSING
        assert not asked or rule.get("for") == "1m", f"{rule['alert']}: {asked}"
        if asked or "last_over_time" in rule["expr"]:
            assert rule["keep_firing_for"] == "5m", rule["alert"]
            found += 1
    assert found > 20


def test_a_job_without_targets_is_told_by_one_rule_or_another() -> None:
    """TargetsMissing asks Prometheus for the jobs that it has; what it leaves out has an alert about its absence."""
    (missing,) = steps()["TargetsMissing"].values()
    (left_out,) = re.findall(r'scrape_job!~"([^"]+)"', missing["expr"])
    rules = [rule for by_severity in steps().values() for rule in by_severity.values()]
    absent = {job for rule in rules for job in re.findall(r'absent\(\w+\{job="([\w-]+)"\}\)', rule["expr"])}
    assert set(left_out.split("|")) == absent
    assert absent <= {path.stem for path in SCRAPE.glob("*.yml")}


@pytest.mark.parametrize(
    ("expression", "numbers"),
    [
        ("a > 1e9", {1e9}),
        ("80 < a", {80}),
        ("(a) >(-5)", {-5}),
        ("sum by (b) (a > bool 7) == 0", {7, 0}),
        ("a > b", set()),
    ],
)
def test_numbers_of_comparisons_are_found(expression: str, numbers: set[float]) -> None:
    assert set(constants(promql_parser.parse(expression))) == numbers


@pytest.mark.parametrize("number", [0.1, "0.1"])
def test_a_threshold_replaces_each_number_of_its_alert(number: object) -> None:
    """Pulumi's command line writes a number with a point as text."""
    rule = rendered({"HighErrorRate": {"threshold": number}})["HighErrorRate", "critical"]
    assert rule["expr"].count("> 0.1 #") == 2
    assert "0.05" not in rule["expr"]
    both = rendered({"VolumeFilling": {"threshold": {"warning": 0.2, "critical": 0.125}}})
    assert "< 0.2 #" in both["VolumeFilling", "warning"]["expr"]
    assert "< 0.125 #" in both["VolumeFilling", "critical"]["expr"]
    one = rendered({"VolumeFilling": {"threshold": {"critical": 0.02}}})
    assert "< 0.10 #" in one["VolumeFilling", "warning"]["expr"]
    assert "< 0.02 #" in one["VolumeFilling", "critical"]["expr"]


def test_duration_severity_and_labels_change_and_an_alert_can_be_off() -> None:
    changed = rendered(
        {
            "HighErrorRate": {"for": "7m", "severity": "warning", "labels": {"team": "platform"}},
            "NodeDiskFilling": {"for": "30m"},
            "PodNotReady": {"enabled": False},
            "RedisDown": {"enabled": False},
            "RedisHighMemoryUsage": {"enabled": False},
        }
    )
    rule = changed["HighErrorRate", "warning"]
    assert rule["for"] == "7m"
    assert rule["labels"] == {"severity": "warning", "service": "mangakai-backend", "team": "platform"}
    assert {changed["NodeDiskFilling", severity]["for"] for severity in ("warning", "critical")} == {"30m"}
    off = {"PodNotReady", "RedisDown", "RedisHighMemoryUsage"}
    assert {alert for alert, _ in changed} == steps().keys() - off
    untouched = rendered({})
    for key in changed.keys() - {("HighErrorRate", "warning")}:
        assert changed[key]["expr"] == untouched[key]["expr"]


@pytest.mark.parametrize("base", ["https://runbooks.example.com/a", "https://runbooks.example.com/a/"])
def test_the_runbooks_can_be_elsewhere(base: str) -> None:
    urls = {alert: rule["annotations"]["runbook_url"] for (alert, _), rule in rendered({}, runbooks=base).items()}
    assert urls["HighErrorRate"] == "https://runbooks.example.com/a/high-error-rate"
    assert all(url.startswith("https://runbooks.example.com/a/") for url in urls.values())


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"Nope": {}}, "rules.Nope: there is no such alert; there are: AlertmanagerClusterBroken, "),
        ({"HighErrorRate": {"threshold": 5}}, "rules.HighErrorRate.threshold: found 5; a share above 0 and below 1"),
        ({"CeleryQueueLength": {"threshold": 0}}, "rules.CeleryQueueLength.threshold: found 0; a number above 0"),
        ({"RedisDown": {"threshold": 1}}, "rules.RedisDown.threshold: found 1.0; it has none"),
        ({"HighErrorRate": {"threshold": "5 %"}}, "rules.HighErrorRate.threshold: found '5 %'; a number, or {warning"),
        ({"VolumeFilling": {"threshold": 0.1}}, "rules.VolumeFilling.threshold: found 0.1; it has two steps"),
        ({"HighErrorRate": {"threshold": {"warning": 0.1}}}, "threshold.warning: it has no such step, but critical"),
        (
            {"VolumeFilling": {"threshold": {"critical": 0.3}}},
            "rules.VolumeFilling.threshold: critical 0.3 has to be below warning 0.1",
        ),
        (
            {"PostgreSQLTooManyConnections": {"threshold": {"warning": 0.96}}},
            "threshold: critical 0.95 has to be above warning 0.96",
        ),
        (
            {"VolumeFilling": {"severity": "warning"}},
            "rules.VolumeFilling.severity: found 'warning'; it has a step for",
        ),
        ({"HighErrorRate": {"severity": "page"}}, "severity: found 'page'; input should be 'warning' or 'critical'"),
        ({"HighErrorRate": {"for": "5"}}, "rules.HighErrorRate.for: found '5'; a Prometheus duration"),
        ({"HighErrorRate": {"labels": {"severity": "x"}}}, "labels: found severity; routes and inhibition rest on"),
        ({"HighErrorRate": {"labels": {"my-team": "x"}}}, "labels: found my-team; names such as team are allowed"),
        ({"Watchdog": {"enabled": False}}, "rules.Watchdog: it always fires, so that its absence is noticed"),
        ({"HighErrorRate": {"treshold": 1}}, "treshold: unknown key; allowed here: enabled, for, labels, severity"),
    ],
)
def test_what_is_impossible_is_refused(rules: dict[str, object], said: str) -> None:
    (line,) = problems(rules)
    assert said in line


def test_all_that_is_wrong_is_said_at_once() -> None:
    said = problems({"Nope": {}, "HighErrorRate": {"threshold": 5}, "RedisDown": {"threshold": 2}})
    assert len(said) == 3


@pytest.mark.parametrize("alert", steps())
def test_no_alert_ends_with_a_scrape_that_fails(alert: str) -> None:
    """Single scrapes are asked for by `absent` only, and of `up`, which is there after each."""
    for rule in steps()[alert].values():
        instants = {selector.name for selector in instant_selectors(promql_parser.parse(rule["expr"]))}
        assert instants <= {"up"}, f"{alert} looks at single scrapes of {instants}"


def instant_selectors(expression: Any) -> Iterator[promql_parser.VectorSelector]:
    """Yield what a parsed expression asks for without a range, but for what it asks whether it is there."""
    if isinstance(expression, promql_parser.VectorSelector):
        yield expression
    elif isinstance(expression, promql_parser.BinaryExpr):
        yield from (*instant_selectors(expression.lhs), *instant_selectors(expression.rhs))
    elif isinstance(expression, promql_parser.Call):
        if expression.func.name != "absent":
            yield from (found for argument in expression.args for found in instant_selectors(argument))
    elif hasattr(expression, "expr"):
        yield from instant_selectors(expression.expr)
