"""The pods of the stack `local` on the live cluster, from `up` to their end, and what the user's verbs say of them."""

import time
from functools import partial
from typing import Any

import pytest

from tests.live import checks
from tests.live.application import TRACE
from tests.live.asking import ask, bring_up, execute, pods, query, until, unwell
from tests.live.checks import ADMIN, ALERTMANAGER, GRAFANA, JAEGER, PROMETHEUS
from tests.live.elastic import documents
from tests.sandbox.conftest import Api, Project

# What a changed object takes to reach a running program: the kubelet looks at each ConfigMap and Secret once a minute.
REACHES_SECONDS = 120
# Seconds; an Elasticsearch's hook waits 50 for who still asks it.
GRACE, GRACE_OF_ELASTICSEARCH = 30, 90


def test_every_pod_is_ready_and_none_has_restarted(api: Api) -> None:
    checks.every_pod_is_ready(api, 17)


def test_a_second_up_changes_nothing(project: Project) -> None:
    assert set(bring_up(project, "local")) == {"unchanged"}


def test_a_changed_rule_and_dashboard_reach_the_programs_without_a_restart(project: Project, api: Api) -> None:
    rules, dashboard = project.folder / "rules" / "celery.yml", project.folder / "dashboards" / "infrastructure.json"
    before = {file: file.read_text() for file in (rules, dashboard)}
    rules.write_text(before[rules].replace("> 100", "> 150"))
    dashboard.write_text(before[dashboard].replace('"MangakAI Infrastructure"', '"MangakAI Infrastructure (new)"'))
    same = {pod["metadata"]["uid"] for pod in pods(api)}
    try:
        assert bring_up(project, "local")["updated"] == 2
        began = time.monotonic()
        until(
            lambda: "> 150" in ask(f"{PROMETHEUS}/api/v1/rules").text.replace("\\u003e", ">"), REACHES_SECONDS, "rule"
        )
        print(f"\nthe rule after {time.monotonic() - began:.0f} s")
        until(lambda: "(new)" in ask(f"{GRAFANA}/api/search", ADMIN).text, REACHES_SECONDS, "dashboard")
        print(f"the dashboard after {time.monotonic() - began:.0f} s")
    finally:
        for file, text in before.items():
            file.write_text(text)
        bring_up(project, "local")
    assert {pod["metadata"]["uid"] for pod in pods(api)} == same
    assert {pod["metadata"]["name"]: why for pod in pods(api) if (why := unwell(pod))} == {}


def test_nothing_has_drifted(project: Project) -> None:
    checks.nothing_has_drifted(project, "local")


def test_troubleshooting_finds_nothing_but_that_the_application_is_not_there(project: Project) -> None:
    checks.troubleshooting_finds_only(project, "local", "Redis|PostgreSQL|Nginx|backend")


@pytest.mark.usefixtures("application", "trace")
def test_every_pod_ends_when_it_is_told_to_and_comes_back_with_its_data(project: Project, api: Api) -> None:
    matcher = {"name": "alertname", "value": "Canary", "isRegex": False}
    now = time.time()
    silence = {
        "matchers": [matcher],
        "startsAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        "endsAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + 3600)),
        "createdBy": "test",
        "comment": "kept",
    }
    assert ask(f"{ALERTMANAGER}/api/v2/silences", body=silence).status == 200
    until(lambda: query(PROMETHEUS, "up"), 60, "the first scrape")
    before = f"count(up @ {time.time():.0f})"
    # The application goes on; those of its first seconds are in the index once.
    first_lines = " OR ".join(f'"canary {number}"' for number in range(1, 11))
    until(lambda: documents(project, api, f"({first_lines})") == 10, 120, "the first lines in the index")
    scraped = query(PROMETHEUS, before)[0]["value"][1]
    keep = "/var/lib/grafana/kept"
    execute(project, "grafana-0", "touch", keep, container="grafana")

    took = {}
    for pod in pods(api):
        if pod["status"]["phase"] == "Running":
            metadata = pod["metadata"]
            began = time.monotonic()
            api.core.delete_namespaced_pod(metadata["name"], metadata["namespace"])
            until(partial(_is_gone, api, metadata["uid"]), GRACE_OF_ELASTICSEARCH + 30, metadata["name"])
            took[metadata["name"]] = time.monotonic() - began
    print("\n" + "\n".join(f"{seconds:5.1f} s  {name}" for name, seconds in sorted(took.items())))
    late = {
        name: seconds
        for name, seconds in took.items()
        if seconds > (GRACE_OF_ELASTICSEARCH if "-es-" in name else GRACE)
    }
    assert late == {}

    until(lambda: len(running(api)) == len(took) and checks.all_are_ready(api), 300, "every pod again")
    assert query(PROMETHEUS, before)[0]["value"][1] == scraped
    assert "kept" in ask(f"{ALERTMANAGER}/api/v2/silences").text
    assert documents(project, api, f"({first_lines})") == 10
    assert execute(project, "grafana-0", "ls", keep, container="grafana").strip() == keep
    until(lambda: ask(f"{JAEGER}/api/traces/{TRACE}").status == 200, 60, "the trace of before")
    until(lambda: ask(f"{GRAFANA}/api/search", ADMIN).status == 200, 60, "Grafana with the password that it had")


def running(api: Api) -> list[dict[str, Any]]:
    """Return the pods of the stack that run, which those of Jobs do no more."""
    return [pod for pod in pods(api) if pod["status"]["phase"] == "Running"]


def _is_gone(api: Api, uid: str) -> bool:
    return all(pod["metadata"]["uid"] != uid for pod in pods(api))
