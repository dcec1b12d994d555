"""The stack `local` in containers that run: what people and alerts depend on, asked from outside."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.catalogue import queries
from tests.live.conftest import REACHES_SECONDS, SECRETS, ask, bring_up, pods, query, until, unwell
from tests.offline import ROOT
from tests.sandbox.conftest import Api, Project

PROMETHEUS, ALERTMANAGER, GRAFANA = "http://localhost:9090", "http://localhost:9093", "http://localhost:3000"
KIBANA, JAEGER = "https://localhost:5601", "http://localhost:16686"
ADMIN = ("admin", SECRETS["grafanaAdminPassword"])


@pytest.fixture(scope="module", autouse=True)
def local(project: Project) -> Iterator[None]:
    """The stack is up for all tests of this file, and destroyed after them."""
    project.prepare("local")
    bring_up(project, "local")
    yield
    print(f"\ndestroy: {project.destroy('local')}")


def test_every_pod_is_ready_and_none_has_restarted(api: Api) -> None:
    # An operator makes some after `up` has ended.
    until(lambda: not any("not ready" in unwell(pod) for pod in pods(api)), 180, "every pod ready")
    found = {pod["metadata"]["name"]: unwell(pod) for pod in pods(api)}
    print(f"\n{len(found)} pods")
    assert {name: why for name, why in found.items() if why} == {}


def test_a_second_up_changes_nothing(project: Project) -> None:
    assert set(bring_up(project, "local")) == {"unchanged"}


def elastic(api: Api) -> tuple[str, str]:
    return ("elastic", api.secret("mangakai-logs-es-elastic-user")["elastic"])


def test_each_url_answers_and_those_with_a_login_ask_for_it(api: Api) -> None:
    assert ask(f"{PROMETHEUS}/-/ready").status == 200
    assert ask(f"{ALERTMANAGER}/-/ready").status == 200
    assert ask(f"{JAEGER}/api/services").status == 200
    assert ask(f"{GRAFANA}/api/search").status == 401
    assert ask(f"{GRAFANA}/api/search", ("admin", "wrong")).status == 401
    assert ask(f"{GRAFANA}/api/search", ADMIN).status == 200
    assert ask(f"{KIBANA}/api/status").status == 401
    assert ask(f"{KIBANA}/api/status", elastic(api)).status == 200


def test_grafana_shows_each_dashboard_and_reaches_each_datasource() -> None:
    shown = {found["uid"] for found in ask(f"{GRAFANA}/api/search?type=dash-db", ADMIN).document}
    shipped = {json.loads(file.read_text())["uid"] for file in (ROOT / "dashboards").glob("*.json")}
    assert shown == shipped
    datasources = {each["uid"]: each["name"] for each in ask(f"{GRAFANA}/api/datasources", ADMIN).document}
    health = {name: ask(f"{GRAFANA}/api/datasources/uid/{uid}/health", ADMIN) for uid, name in datasources.items()}
    assert {name: answer.text for name, answer in health.items() if answer.status != 200} == {}
    print(f"\n{len(shown)} dashboards, datasources {sorted(health)}")


def test_every_target_is_up_with_the_rights_that_it_has() -> None:
    def targets() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = ask(f"{PROMETHEUS}/api/v1/targets?state=active").document["data"]["activeTargets"]
        return found

    until(lambda: all(target["health"] == "up" for target in targets()), 120, "every target up")
    jobs = {target["labels"]["job"] for target in targets()}
    print(f"\n{len(targets())} targets of {len(jobs)} jobs: {sorted(jobs)}")
    # The application is not there; everything else that a stack without backups has is scraped.
    application = {"mangakai-backend", "redis", "postgres", "nginx", "kubernetes-pods", "mangakai-worker"}
    shipped = {file.stem for file in (ROOT / "scrape").glob("*.yml")} - {"backup"}
    assert shipped - jobs == application & shipped


def test_every_rule_is_evaluated() -> None:
    groups = ask(f"{PROMETHEUS}/api/v1/rules").document["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) > 40
    until(
        lambda: all(
            rule["health"] == "ok"
            for group in ask(f"{PROMETHEUS}/api/v1/rules").document["data"]["groups"]
            for rule in group["rules"]
        ),
        120,
        "every rule evaluated",
    )
    print(f"\n{len(rules)} rules")


def test_every_panel_that_has_a_source_has_data() -> None:
    names = set(ask(f"{PROMETHEUS}/api/v1/label/__name__/values").document["data"])
    empty, asked = [], 0
    for file in sorted((ROOT / "dashboards").glob("*.json")):
        for one in queries.of_dashboard(file.name, json.loads(file.read_text())):
            metrics = {metric for _, metric in queries.reached_by([one])}
            if not metrics <= names:
                continue
            asked += 1
            if not query(PROMETHEUS, one.text):
                empty.append(f"{one.where}: {one.text}")
    print(f"\n{asked} queries asked")
    assert empty == []


def test_a_changed_rule_and_dashboard_reach_the_programs_without_a_restart(project: Project, api: Api) -> None:
    rules, dashboard = project.folder / "rules" / "celery.yml", project.folder / "dashboards" / "infrastructure.json"
    before = {file: file.read_text() for file in (rules, dashboard)}
    rules.write_text(before[rules].replace("> 100", "> 150"))
    dashboard.write_text(before[dashboard].replace('"MangakAI Infrastructure"', '"MangakAI Infrastructure (new)"'))
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
    assert {pod["metadata"]["name"]: why for pod in pods(api) if (why := unwell(pod))} == {}
