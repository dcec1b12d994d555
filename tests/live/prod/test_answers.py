"""The stack `prod` as it comes up: two Prometheus, three Alertmanagers, three nodes of Elasticsearch, passwords."""

import json
from pathlib import Path

import pytest

from tests.live import checks, connections
from tests.live.asking import ask, bring_up, until
from tests.live.checks import ADMIN, ALERTMANAGER, GRAFANA, KIBANA, PROMETHEUS
from tests.live.elastic import as_kibana, elastic
from tests.live.people import mails, messages
from tests.live.prod.logins import WEB
from tests.sandbox.conftest import CANARIES, Api, Project


def test_every_pod_is_ready_and_none_has_restarted(api: Api) -> None:
    checks.every_pod_is_ready(api, 28)


def test_a_second_up_changes_nothing(project: Project) -> None:
    assert set(bring_up(project, "prod")) == {"unchanged"}


def test_each_url_asks_for_its_login(api: Api) -> None:
    wrong = ("monitoring", "wrong")
    for url, right in (
        (f"{PROMETHEUS}/-/ready", WEB),
        (f"{ALERTMANAGER}/-/ready", WEB),
        (f"{GRAFANA}/api/search", ADMIN),
    ):
        assert [ask(url, login).status for login in (None, wrong, right)] == [401, 401, 200], url
    kibana = as_kibana(api)
    asked = [ask(f"{KIBANA}/api/data_views", login, pool=kibana).status for login in (None, wrong, elastic(api))]
    assert asked == [401, 401, 200]


def test_every_target_is_up_with_the_rights_that_it_has() -> None:
    checks.every_target_is_up(WEB, checks.OF_THE_APPLICATION)


def test_every_rule_is_evaluated() -> None:
    checks.every_rule_is_evaluated(WEB, "prod")


def test_nothing_has_drifted(project: Project) -> None:
    checks.nothing_has_drifted(project, "prod")


def test_troubleshooting_finds_nothing_but_that_the_application_is_not_there(project: Project) -> None:
    checks.troubleshooting_finds_only(project, "prod", "Redis|PostgreSQL|Nginx|backend")


def test_a_critical_alert_reaches_people_by_mail_and_slack_with_the_passwords_that_are_mounted(api: Api) -> None:
    alert = {"labels": {"alertname": "Canary", "severity": "critical"}, "annotations": {"summary": "a canary"}}
    assert ask(f"{ALERTMANAGER}/api/v2/alerts", WEB, [alert]).status == 200
    (mail,) = until(lambda: mails(api, "Canary"), 120, "the mail")
    assert mail["to"] == "oncall@mangakai.com"
    assert mail["login"] == ["alerts@mangakai.com", CANARIES["smtpAuthPassword"]]

    def posted() -> bool:
        bodies = [json.loads(one["body"]) for one in messages(api) if one.get("webhook") == CANARIES["slackApiUrl"]]
        return any("Canary" in body["attachments"][0]["title"] for body in bodies)

    until(posted, 60, "the message in Slack")


def test_the_heartbeat_is_sent(api: Api) -> None:
    until(lambda: [one for one in messages(api) if one.get("webhook") == CANARIES["heartbeatUrl"]], 120, "a heartbeat")


@pytest.mark.usefixtures("application")
def test_each_part_reaches_whom_the_table_names_and_nobody_else(project: Project, api: Api) -> None:
    connections.check(project, api, Path(__file__).with_name("connections.yaml"))


@pytest.mark.usefixtures("application")
def test_every_panel_that_has_a_source_has_data() -> None:
    checks.every_panel_has_data(WEB)
