"""The stack `prod` on a live cluster while it changes: it goes on serving, and what changed reaches everybody."""

import itertools
import json
import time
from typing import Any

import pytest

from sandbox.stacks import laid_over
from tests.live import checks, watcher
from tests.live.application import last_number, trace
from tests.live.asking import ask, bring_up, is_ready, pods, query, until
from tests.live.checks import ALERTMANAGER, PROMETHEUS
from tests.live.elastic import elastic, numbers
from tests.live.people import mails
from tests.live.prod.logins import WEB
from tests.sandbox.conftest import Api, Project

NODES = 3  # of the Elasticsearch of the logs
REACHES_SECONDS = 180
PASSWORD = "canary-second-9d41"
RECEIVER: dict[str, Any] = {"alertmanager": {"oncallEmail": "night@mangakai.com"}}
_JAEGER = {"resources": {"requests": {"memory": "272Mi"}}}
# What restarts every pod of these.
RESTARTED = laid_over(
    RECEIVER,
    {
        "alertmanager": {"resources": {"requests": {"memory": "144Mi"}}},
        "prometheus": {"retention": "14d"},
        "logs": {"elasticsearch": {"resources": {"requests": {"memory": "1088Mi"}}}},
        "traces": {"collector": _JAEGER, "query": _JAEGER},
    },
)
FEWER_NODES = laid_over(RESTARTED, {"logs": {"elasticsearch": {"nodes": 1}}})


def bring_up_with(project: Project, changed: dict[str, Any], **secrets: str) -> None:
    """Lay what is changed over the settings of the stack, set these secrets, and bring it up."""
    project.prepare("prod", **changed)
    for name, value in secrets.items():
        done = project.pulumi("prod", "config", "set", "--secret", name, value)
        assert done.returncode == 0, done.stderr
    bring_up(project, "prod")


def test_a_changed_receiver_and_password_reach_alertmanager_without_a_restart(project: Project, api: Api) -> None:
    same = {pod["metadata"]["uid"] for pod in pods(api)}
    bring_up_with(project, RECEIVER, smtpAuthPassword=PASSWORD)
    began, tries = time.monotonic(), itertools.count()

    def arrived() -> bool:
        name = f"Changed{next(tries)}"
        alert = {"labels": {"alertname": name, "severity": "critical"}, "annotations": {"summary": name}}
        assert ask(f"{ALERTMANAGER}/api/v2/alerts", WEB, [alert]).status == 200
        # The third replica waits half a minute for the others to tell, and whoever reads its configuration meanwhile
        # begins to wait anew.
        (mail,) = until(lambda: mails(api, name), 120, "the mail")
        return bool(mail["to"] == "night@mangakai.com" and mail["login"][1] == PASSWORD)

    until(arrived, REACHES_SECONDS, "the receiver and the password")
    print(f"\nafter {time.monotonic() - began:.0f} s")
    assert {pod["metadata"]["uid"] for pod in pods(api)} == same


@pytest.mark.usefixtures("application")
def test_while_everything_is_rolled_out_one_of_each_serves_and_nothing_is_lost_or_told_twice(
    project: Project, api: Api
) -> None:
    until(lambda: numbers(project, api), 120, "lines in the index")
    before = {pod["metadata"]["uid"] for pod in pods(api)}
    told = len(mails(api, "CRITICAL"))
    watcher.start(api, services(project, api))
    bring_up_with(project, RESTARTED)
    until(lambda: rolled_out(api, before), 600, "every pod of Elasticsearch anew")
    until(lambda: checks.all_are_ready(api), 300, "every pod ready")
    assert watcher.stop(api) == []
    now = [mail["mail"] for mail in mails(api, "CRITICAL")]
    # What is told for the first time has been wrong for as long as its rule waits.
    assert [subject for number, subject in enumerate(now) if number >= told and subject in now[:number]] == []
    written = last_number(api)
    until(lambda: numbers(project, api) >= set(range(1, written + 1)), 120, "each line of the application")


@pytest.mark.long
@pytest.mark.usefixtures("application")
def test_two_nodes_of_elasticsearch_are_taken_away_and_nothing_is_lost(project: Project, api: Api) -> None:
    bring_up_with(project, FEWER_NODES)
    # The one that is left restarts too, for it is no more one of several zones, and has the only copy of what it holds.
    until(lambda: [is_ready(pod) for pod in of_the_logs(api)] == [True], 600, "one node of Elasticsearch")
    written = last_number(api)
    until(lambda: numbers(project, api) >= set(range(1, written + 1)), 120, "each line of the application")
    checks.every_target_is_up(WEB, checks.OF_THE_APPLICATION)


@pytest.mark.long
@pytest.mark.usefixtures("application")
def test_a_rotated_seed_reaches_whoever_logs_in(project: Project, api: Api) -> None:
    bring_up_with(project, FEWER_NODES, internalSeed="another-seed-of-32-characters-9d41")
    # Jaeger ends and begins anew until Elasticsearch has its password.
    until(lambda: checks.all_are_ready(api), 300, "every pod ready")
    written = last_number(api)
    until(lambda: numbers(project, api) > set(range(1, written + 1)), 300, "a line that was written afterwards")
    answered = "count(elasticsearch_cluster_health_status == 1) == 2"
    until(lambda: query(PROMETHEUS, answered, WEB), 120, "both exporters, whom Elasticsearch answers")
    checks.every_target_is_up(WEB, checks.OF_THE_APPLICATION)


def services(project: Project, api: Api) -> list[watcher.Asked]:
    """Return what has replicas that serve while others restart, as the cluster's programs find it."""
    login = ":".join(WEB)
    endpoint = json.loads(project.pulumi("prod", "stack", "output", "--json").stdout)["otlpEndpoint"]
    return [
        ("http://prometheus.monitoring.svc:9090/-/ready", None, login),
        ("http://alertmanager.monitoring.svc:9093/-/ready", None, login),
        (f"{endpoint}/v1/traces", trace(), None),
        ("http://mangakai-jaeger-query.monitoring.svc:16686/api/services", None, None),
        ("https://mangakai-logs-es-http.monitoring.svc:9200/_cluster/health", None, ":".join(elastic(api))),
    ]


def of_the_logs(api: Api) -> list[dict[str, Any]]:
    """Return the pods of the Elasticsearch of the logs."""
    return [pod for pod in pods(api) if pod["metadata"]["name"].startswith("mangakai-logs-es-")]


def rolled_out(api: Api, before: set[str]) -> bool:
    """Return whether each pod of the Elasticsearch of the logs is there, and another one than before."""
    now = {pod["metadata"]["uid"] for pod in of_the_logs(api)}
    return len(now) == NODES and not before & now
