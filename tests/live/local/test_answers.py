"""What people open and what alerts depend on, of the stack `local` on the live cluster."""

import contextlib
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import urllib3

from components.foundation.names import KIBANA_SPACE, WEB_USER
from components.foundation.set_up_job import IMAGE
from components.foundation.web_interfaces import WEB_INTERFACES
from tests import offline
from tests.live import checks
from tests.live.application import NAMESPACE, TRACE
from tests.live.asking import ask, until
from tests.live.checks import ADMIN, ALERTMANAGER, GRAFANA, JAEGER, KIBANA, PEOPLE, PROMETHEUS
from tests.live.elastic import as_kibana, documents, elastic
from tests.offline import ROOT
from tests.sandbox.conftest import Api, Project


def test_each_url_answers_and_those_with_a_login_ask_for_it(api: Api) -> None:
    assert ask(f"{PROMETHEUS}/-/ready").status == 200
    assert ask(f"{ALERTMANAGER}/-/ready").status == 200
    assert ask(f"{JAEGER}/api/services").status == 200
    assert ask(f"{GRAFANA}/api/search").status == 401
    assert ask(f"{GRAFANA}/api/search", ("admin", "wrong")).status == 401
    assert ask(f"{GRAFANA}/api/search", ADMIN).status == 200
    kibana = as_kibana(api)
    assert ask(f"{KIBANA}/api/data_views", pool=kibana).status == 401
    for user in ("elastic", WEB_USER):
        assert ask(f"{KIBANA}/api/data_views", (user, "wrong"), pool=kibana).status == 401
    for of_space in ("", f"/s/{KIBANA_SPACE}"):
        found = ask(f"{KIBANA}{of_space}/api/data_views", PEOPLE, pool=kibana)
        assert [view["title"] for view in found.document["data_view"]] == ["mangakai-logs-*"], of_space or "default"
    assert ask(f"{KIBANA}/api/data_views", elastic(api), pool=kibana).status == 200


def test_grafana_shows_each_dashboard_and_reaches_each_datasource() -> None:
    shipped = {json.loads(file.read_text())["uid"] for file in (ROOT / "dashboards").glob("*.json")}

    def shown() -> set[str]:
        return {found["uid"] for found in ask(f"{GRAFANA}/api/search?type=dash-db", ADMIN).document}

    # A sidecar brings them after Grafana has started.
    until(lambda: shown() == shipped, 60, "each dashboard")
    datasources = {each["uid"]: each["name"] for each in ask(f"{GRAFANA}/api/datasources", ADMIN).document}
    assert set(datasources.values()) == {"Alertmanager", "Elasticsearch", "Jaeger", "Prometheus"}

    def unhealthy() -> dict[str, str]:
        health = {name: ask(f"{GRAFANA}/api/datasources/uid/{uid}/health", ADMIN) for uid, name in datasources.items()}
        return {name: answer.text for name, answer in health.items() if answer.status != 200}

    with contextlib.suppress(AssertionError):
        until(lambda: not unhealthy(), 60, "each datasource")
    assert unhealthy() == {}


def test_every_target_is_up_with_the_rights_that_it_has() -> None:
    # A stack without backups has everything else.
    checks.every_target_is_up(None, checks.OF_THE_APPLICATION | {"backup"})


def test_every_rule_is_evaluated() -> None:
    checks.every_rule_is_evaluated(None, "local")


@pytest.mark.usefixtures("application")
def test_every_panel_that_has_a_source_has_data() -> None:
    checks.every_panel_has_data(None)


@pytest.mark.usefixtures("application")
def test_a_line_of_a_container_is_found_in_elasticsearch(project: Project, api: Api) -> None:
    began = time.monotonic()
    until(lambda: documents(project, api, "canary"), 120, "a line in the index")
    print(f"\nafter {time.monotonic() - began:.0f} s")


def test_a_request_that_no_node_can_meet_is_found_in_elasticsearch_within_a_minute(project: Project, api: Api) -> None:
    container = {"name": "draw", "image": IMAGE, "resources": {"requests": {"cpu": "4096"}}}
    pod: Any = {"metadata": {"name": "greedy"}, "spec": {"containers": [container]}}
    began = time.monotonic()
    api.core.create_namespaced_pod(NAMESPACE, pod)
    try:
        until(lambda: documents(project, api, "(FailedScheduling AND greedy)"), 60, "the event in the index")
        print(f"\nafter {time.monotonic() - began:.0f} s")
    finally:
        api.core.delete_namespaced_pod("greedy", NAMESPACE)


@pytest.mark.usefixtures("trace")
def test_a_trace_sent_from_the_application_is_found() -> None:
    until(lambda: ask(f"{JAEGER}/api/traces/{TRACE}").status == 200, 60, "the trace")
    assert "mangakai-live" in ask(f"{JAEGER}/api/services").document["data"]


def test_the_node_ports_of_the_stack_kind_answer(api: Api, tmp_path: Path) -> None:
    found = offline.run("kind", tmp_path).of_type("kubernetes:core/v1:Service")
    # The engine counts in floating point.
    services: list[Any] = [{**_whole(one.inputs), "metadata": {"name": f"kind-{one.name}"}} for one in found]
    ports = [service["spec"]["ports"][0]["nodePort"] for service in services]
    assert sorted(ports) == sorted(interface.node_port for interface in WEB_INTERFACES.values())
    for service in services:
        api.core.create_namespaced_service("monitoring", service)
    try:
        for name, interface in WEB_INTERFACES.items():
            url = f"{'https' if interface.tls else 'http'}://localhost:{interface.node_port}/"
            pool = as_kibana(api) if interface.tls else urllib3.PoolManager()
            until(partial(_answers, url, pool), 120, name)
    finally:
        for service in services:
            api.core.delete_namespaced_service(service["metadata"]["name"], "monitoring")


def _whole(value: Any) -> Any:
    """Return a document with whole numbers where they are whole."""
    return json.loads(
        json.dumps(value), parse_float=lambda text: int(float(text)) if text.endswith(".0") else float(text)
    )


def _answers(url: str, pool: urllib3.PoolManager) -> bool:
    return ask(url, pool=pool).status < 500
