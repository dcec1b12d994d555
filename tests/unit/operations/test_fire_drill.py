"""`make fire-drill`: which alert takes which route, what is read of counters and logs, and what is said of errors."""

import http.client
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from components.metrics import notifications
from components.settings import Settings, read_file
from operations.cluster import Unreadable
from operations.fire_drill import __main__ as command
from operations.fire_drill.drill import Drill
from operations.fire_drill.replica import Count, Pod, counts, error, told
from operations.fire_drill.routes import Route, routes, seconds
from tests.offline import ROOT, STACKS

COMMON = {"alertname": "FireDrill", "service": "fire-drill-1"}


def of_stack(stack: str) -> dict[str, Route]:
    settings = read_file(ROOT / f"Pulumi.{stack}.yaml")
    found = routes(yaml.safe_load(notifications.render(settings.alertmanager)), COMMON)
    return {one.receiver: one for one in found}


def made(*children: dict[str, Any], **root: Any) -> list[Route]:
    """Return the routes below one at the root; each receiver gets mails."""
    tree = {"receiver": "root", "group_by": ["service"], **root, "routes": list(children)}

    def names(route: dict[str, Any]) -> set[str]:
        return {route["receiver"]}.union(*map(names, route.get("routes", [])))

    receivers = [{"name": name, "email_configs": [{"send_resolved": True}]} for name in names(tree)]
    return routes({"route": tree, "receivers": receivers}, COMMON)


@pytest.mark.parametrize("stack", STACKS)
def test_each_receiver_of_a_stack_has_an_alert_that_reaches_it_and_no_other(stack: str) -> None:
    found = of_stack(stack)
    assert [one.receiver for one in found.values() if one.unreachable or one.others] == []
    assert {one.receiver for one in found.values() if one.pages} == {"critical-alerts"}
    assert found["application-errors"].labels["alertname"] == "ApplicationError"
    assert (found["critical-alerts"].first, found["critical-alerts"].following) == (10, 300)
    ways = {one.receiver: [way.name for way in one.integrations] for one in found.values()}
    assert ways["critical-alerts"] == ["email", "slack"]
    assert ways.get("heartbeat", ["webhook"]) == ["webhook"]
    assert ways.get("none", []) == []


def test_no_alert_of_a_drill_is_in_the_group_of_another() -> None:
    services = [one.labels["service"] for one in of_stack("prod").values()]
    assert len(set(services)) == len(services)


@pytest.mark.parametrize(
    ("matcher", "label"),
    [
        ('severity="critical"', "critical"),
        ("severity=critical", "critical"),
        ('severity=~"critical|error"', "critical"),
        ('severity=~"^(error)$"', "error"),
        ('severity!="critical"', None),
        ('severity!~"warning|none"', None),
    ],
)
def test_an_alert_is_made_up_for_a_matcher(matcher: str, label: str | None) -> None:
    route, _ = made({"matchers": [matcher], "receiver": "own"})
    assert route.labels.get("severity") == label
    assert (route.receiver, route.unreachable) == ("own", "")


def test_a_route_that_none_reaches_is_said_to_be_one() -> None:
    first, second, third, root = made(
        {"matchers": ['severity=~"[a-c]+"'], "receiver": "no-example"},
        {"matchers": ['severity="warning"'], "receiver": "takes it"},
        {"matchers": ['severity="warning"', 'team="pages"'], "receiver": "behind"},
    )
    assert first.unreachable == "an alert for it ends at root"
    assert third.unreachable == "an alert for it ends at takes it"
    assert second.unreachable == root.unreachable == ""


def test_a_route_that_goes_on_names_whom_its_alert_reaches_too() -> None:
    first, second, _ = made(
        {"matchers": ['severity="warning"'], "receiver": "log", "continue": True},
        {"matchers": ['severity=~"warning|error"'], "receiver": "team"},
    )
    assert first.others == ("team",)
    assert second.others == ("log",)


def test_what_a_route_does_not_say_it_has_from_the_one_above() -> None:
    inner, outer, root = made(
        {
            "matchers": ['team="pages"'],
            "receiver": "team",
            "group_interval": "1h30m",
            "routes": [{"matchers": ['severity="critical"'], "receiver": "oncall", "group_wait": "5s"}],
        },
    )
    assert (inner.labels["team"], inner.labels["severity"]) == ("pages", "critical")
    assert (inner.first, inner.following) == (5, 5400)
    assert (outer.first, outer.following) == (30, 5400)
    assert (root.first, root.following) == (30, 300)


@pytest.mark.parametrize(("group_by", "first"), [(["alertname"], 300), (["..."], 30), (["service"], 30)])
def test_an_alert_that_shares_its_group_waits_for_the_next_message_of_that(group_by: list[str], first: int) -> None:
    assert made(group_by=group_by)[0].first == first


@pytest.mark.parametrize(("text", "expected"), [("500ms", 0.5), ("10s", 10), ("1h30m", 5400), ("1w", 604800)])
def test_a_duration_is_read_as_prometheus_writes_it(text: str, expected: float) -> None:
    assert seconds(text) == expected


class Answering:
    """An Alertmanager that answers by path, and has a log."""

    name = "alertmanager-0"

    def __init__(self, answers: dict[str, str] | int, log: str = "") -> None:
        self._answers, self._log = answers, log

    def ask(self, path: str, body: str = "") -> tuple[int, str]:
        return (self._answers, "not <b>now</b>") if isinstance(self._answers, int) else (200, self._answers[path])

    def log(self, since: datetime) -> str:
        return self._log


METRICS = """
alertmanager_notifications_total{integration="email",receiver_name="default"} 5
alertmanager_notifications_failed_total{integration="email",reason="other",receiver_name="default"} 1
alertmanager_notifications_failed_total{integration="email",reason="contextDeadlineExceeded",receiver_name="default"} 2
alertmanager_notification_requests_total{integration="email",receiver_name="default"} 7
alertmanager_notification_requests_failed_total{integration="email",receiver_name="default"} 4
alertmanager_notifications_suppressed_total{reason="silence"} 3
alertmanager_notification_requests_total{integration="slack"} 1e+06
"""


def test_counters_are_read_with_and_without_the_names_of_receivers() -> None:
    found = counts(Answering({"/metrics": METRICS}))
    assert found == {("email", "default"): Count(7, 4, 3), ("slack", ""): Count(1_000_000, 0, 0)}
    assert found["email", "default"].arrived == 3


def test_what_came_since_is_counted_from_nothing_where_a_pod_began_anew() -> None:
    assert Count(7, 4, 3).since(Count(5, 4, 2)) == Count(2, 0, 1)
    assert Count(1, 1, 0).since(Count(5, 4, 2)) == Count(1, 1, 0)


LOG = "\n".join(
    [
        'time=2026-11-30T16:43:48Z level=WARN msg="Notify attempt failed, will retry later" component=dispatcher '
        r'receiver=default integration=email[0] aggrGroup="{}:{alertname=\"FireDrill\"}" attempts=1 '
        r'err="*smtp.plainAuth auth: 535 \"5.7.8 no\""',
        'time=2026-11-30T16:43:49Z level=ERROR msg="Notify for alerts failed" component=dispatcher num_alerts=1 '
        'err="critical-alerts/slack[0]: notify retry canceled due to unrecoverable error after 1 attempts: '
        r'channel \"#a\": unexpected status code 404: no_service"',
        'time=2026-11-30T16:43:49Z level=ERROR msg="Notify for alerts failed" '
        r'err="heartbeat/webhook[0]: Post \"https://hooks.slack.com/services/T0/B0/hunter2\": refused"',
    ]
)


@pytest.mark.parametrize(
    ("receiver", "integration", "said"),
    [
        ("default", "email", '*smtp.plainAuth auth: 535 "5.7.8 no"'),
        ("critical-alerts", "slack", 'channel "#a": unexpected status code 404: no_service'),
        ("heartbeat", "webhook", 'Post "https://hooks.slack.com/services/*** refused'),
        ("critical-alerts", "email", ""),
        ("default", "slack", ""),
    ],
)
def test_the_log_says_why_and_no_secret(receiver: str, integration: str, said: str) -> None:
    assert error(Answering({}, LOG), receiver, integration, datetime.now(UTC)) == said


def test_an_alertmanager_that_refuses_is_one_sentence() -> None:
    with pytest.raises(Unreadable, match=r"alertmanager-0 answers 401 to /api/v2/alerts: not <b>now</b>$"):
        told(Answering(http.client.UNAUTHORIZED), "/api/v2/alerts?x")


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Run the verb on prod whose cluster is `ready_pods`, and return its status and what it says of errors."""

    def run(pods: Callable[..., Any], *arguments: str) -> tuple[int, str]:
        settings: Settings = read_file(ROOT / "Pulumi.prod.yaml")
        monkeypatch.setattr(command, "read", lambda _: settings)
        monkeypatch.setattr(command, "Cluster", lambda *_: None)
        monkeypatch.setattr(command, "login", lambda *_: "")
        monkeypatch.setattr(command, "ready_pods", pods)
        monkeypatch.setattr(sys, "argv", ["make fire-drill", "--stack", "prod", *arguments])
        return command.main(), capsys.readouterr().err

    return run


def test_a_cluster_without_alertmanager_is_one_sentence(say: Callable[..., tuple[int, str]]) -> None:
    def none(*_: object) -> list[Any]:
        raise Unreadable("none of its pods is ready", "kubectl get pods")

    assert say(none) == (1, "fire-drill: none of its pods is ready: kubectl get pods\n")


def test_an_unknown_receiver_is_named_with_those_that_there_are(
    say: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = read_file(ROOT / "Pulumi.prod.yaml")
    original = notifications.render(settings.alertmanager)
    monkeypatch.setattr(Pod, "ask", lambda *_: (200, yaml.safe_dump({"config": {"original": original}})))
    monkeypatch.setattr("operations.fire_drill.drill.json.loads", yaml.safe_load)
    monkeypatch.setattr(Drill, "run", lambda *_: pytest.fail("something was sent"))
    pods = [{"metadata": {"name": "alertmanager-0"}}]
    status, text = say(lambda *_: pods, "--receiver", "pager")
    assert status == 2
    assert text.startswith("fire-drill: no alert goes to pager; receivers: application-errors, critical-alerts,")
