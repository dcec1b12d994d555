"""The stack `local` in containers that run: what people and alerts depend on, asked from outside."""

import contextlib
import json
import re
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import urllib3

from components.foundation.set_up_job import IMAGE
from components.foundation.web_interfaces import WEB_INTERFACES
from operations import render
from tests import offline
from tests.catalogue import queries
from tests.live.conftest import REACHES_SECONDS, SECRETS, ask, bring_up, execute, is_ready, pods, query, until, unwell
from tests.offline import ROOT
from tests.sandbox.conftest import Api, Project

PROMETHEUS, ALERTMANAGER, GRAFANA = "http://localhost:9090", "http://localhost:9093", "http://localhost:3000"
KIBANA, JAEGER = "https://localhost:5601", "http://localhost:16686"
ADMIN = ("admin", SECRETS["grafanaAdminPassword"])


@pytest.fixture(scope="module", autouse=True)
def local(project: Project) -> None:
    """The stack is up for all tests of this file; it goes with the cluster."""
    project.prepare("local")
    bring_up(project, "local")


def test_every_pod_is_ready_and_none_has_restarted(api: Api) -> None:
    # An operator makes some after `up` has ended.
    until(lambda: all(is_ready(pod) for pod in pods(api)), 180, "every pod ready")
    found = {pod["metadata"]["name"]: unwell(pod) for pod in pods(api)}
    print(f"\n{len(found)} pods")
    assert len(found) > 15
    assert {name: why for name, why in found.items() if why} == {}


def test_a_second_up_changes_nothing(project: Project) -> None:
    assert set(bring_up(project, "local")) == {"unchanged"}


def elastic(api: Api) -> tuple[str, str]:
    return ("elastic", api.secret("mangakai-logs-es-elastic-user")["elastic"])


def as_kibana(api: Api) -> urllib3.PoolManager:
    """Return connections to who is called Kibana by the authority of Elastic's operator."""
    authority = api.secret("kibana-kb-http-certs-public")["ca.crt"]
    return urllib3.PoolManager(ca_cert_data=authority, assert_hostname="kibana-kb-http.monitoring.svc")


def test_each_url_answers_and_those_with_a_login_ask_for_it(api: Api) -> None:
    assert ask(f"{PROMETHEUS}/-/ready").status == 200
    assert ask(f"{ALERTMANAGER}/-/ready").status == 200
    assert ask(f"{JAEGER}/api/services").status == 200
    assert ask(f"{GRAFANA}/api/search").status == 401
    assert ask(f"{GRAFANA}/api/search", ("admin", "wrong")).status == 401
    assert ask(f"{GRAFANA}/api/search", ADMIN).status == 200
    kibana = as_kibana(api)
    assert ask(f"{KIBANA}/api/data_views", pool=kibana).status == 401
    assert ask(f"{KIBANA}/api/data_views", ("elastic", "wrong"), pool=kibana).status == 401
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
    shipped = sum(
        text.count("- alert:") + text.count("- record:")
        for path, text in render.stack_files("local").items()
        if path.startswith("rules/")
    )

    def health() -> list[str]:
        groups = ask(f"{PROMETHEUS}/api/v1/rules").document["data"]["groups"]
        return [rule["health"] for group in groups for rule in group["rules"]]

    until(lambda: set(health()) == {"ok"}, 120, "every rule evaluated")
    print(f"\n{len(health())} rules")
    assert len(health()) == shipped


@pytest.mark.usefixtures("application")
def test_every_panel_that_has_a_source_has_data() -> None:
    until(
        lambda: len(query(PROMETHEUS, 'container_memory_working_set_bytes{pod="canary"}')), 120, "the application's pod"
    )
    exposed = {
        (found["metric"]["job"], found["metric"]["__name__"])
        for found in query(PROMETHEUS, 'group by (job, __name__) ({job!=""})')
    }
    wanted = []
    for file in sorted((ROOT / "dashboards").glob("*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel["targets"]:
                # Each value that a variable may have. What compares shows nothing where all is well.
                text = re.sub(r'=~?"\$\w+"', '=~".+"', target["expr"])
                one = queries.Query(f"{file.name}: {panel['title']}", text, frozenset())
                if queries.reached_by([one]) <= exposed and not text.endswith("> 0"):
                    wanted.append(one)
    print(f"\n{len(wanted)} queries asked")
    assert len(wanted) > 30

    def empty() -> list[str]:
        return [f"{one.where}: {one.text}" for one in wanted if not query(PROMETHEUS, one.text)]

    # Rates need two scrapes.
    with contextlib.suppress(AssertionError):
        until(lambda: not empty(), 120, "data in each panel")
    assert empty() == []


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


@pytest.fixture(scope="module")
def application(api: Api) -> str:
    """A pod in the application's namespace, whose first process logs one line a second, in the guide's form."""
    program = """
import logging, sys, time
form = "%(asctime)s %(levelname)s [%(name)s] %(message)s"
logging.basicConfig(format=form, level="INFO", stream=sys.stdout)
number = 0
while True:
    number += 1
    logging.getLogger("mangakai").info("canary %d", number)
    time.sleep(1)
"""
    container = {"name": "backend", "image": IMAGE, "command": ["python", "-c", program]}
    pod: Any = {
        "metadata": {"name": "canary", "labels": {"app": "mangakai-backend"}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }
    api.core.create_namespaced_pod("mangakai-prod", pod)
    until(lambda: not unwell(api.get("/api/v1/namespaces/mangakai-prod/pods/canary")), 60, "the application's pod")
    return "canary"


def documents(project: Project, api: Api, text: str) -> int:
    """Return how many lines with this text are in the index of the logs."""
    url = f"https://localhost:9200/mangakai-logs/_count?q={quote(f'message:{text}')}"
    login = ":".join(elastic(api))
    answer = json.loads(execute(project, "mangakai-logs-es-default-0", "curl", "-sk", "-u", login, url))
    return int(answer.get("count", 0))


@pytest.mark.usefixtures("application")
def test_a_line_of_a_container_is_found_in_elasticsearch(project: Project, api: Api) -> None:
    began = time.monotonic()
    until(lambda: documents(project, api, "canary"), 120, "a line in the index")
    print(f"\nafter {time.monotonic() - began:.0f} s")


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
            until(partial(_answers, url, pool), 30, name)
    finally:
        for service in services:
            api.core.delete_namespaced_service(service["metadata"]["name"], "monitoring")


TRACE = "5b8aa5a2d2c872e8321cf37308d69df2"
SPAN = {
    "traceId": TRACE,
    "spanId": "051581bf3cb55c13",
    "name": "draw",
    "kind": 1,
    "startTimeUnixNano": str(time.time_ns()),
    "endTimeUnixNano": str(time.time_ns() + 10**9),
}


def send_trace(project: Project, pod: str, endpoint: str) -> None:
    """Send a span to the endpoint that the stack gives, from a pod of the application."""
    service = {"attributes": [{"key": "service.name", "value": {"stringValue": "mangakai-live"}}]}
    body = json.dumps({"resourceSpans": [{"resource": service, "scopeSpans": [{"spans": [SPAN]}]}]})
    program = f"""
import urllib.request
request = urllib.request.Request("{endpoint}/v1/traces", {body.encode()!r}, {{"Content-Type": "application/json"}})
print(urllib.request.urlopen(request, timeout=10).status)
"""
    assert execute(project, pod, "python", "-c", program, namespace="mangakai-prod") == "200\n"


def test_a_trace_sent_from_the_application_is_found(project: Project, application: str) -> None:
    endpoint = json.loads(project.pulumi("local", "stack", "output", "--json").stdout)["otlpEndpoint"]
    send_trace(project, application, endpoint)
    until(lambda: ask(f"{JAEGER}/api/traces/{TRACE}").status == 200, 60, "the trace")
    assert "mangakai-live" in ask(f"{JAEGER}/api/services").document["data"]


def run(project: Project, verb: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a user's verb about the stack."""
    command = [sys.executable, "-m", f"operations.{verb}", "--stack", "local", *arguments]
    variables = project.environment("local")
    return subprocess.run(command, cwd=project.folder, env=variables, capture_output=True, text=True, check=False)


def test_nothing_has_drifted(project: Project) -> None:
    done = run(project, "drift")
    assert done.returncode == 0, done.stdout + done.stderr


def test_troubleshooting_finds_nothing_but_that_the_application_and_the_world_are_not_there(project: Project) -> None:
    found = json.loads(run(project, "troubleshoot", "--json").stdout)["findings"]
    findings = [f"{one['subject']}: {one['what']}" for one in found if one["severity"] != "info"]
    print("\n" + "\n".join(findings))
    # Nobody is notified, for no name outside the cluster exists; the rest is about the application.
    expected = re.compile("notifications by |Redis|PostgreSQL|Nginx|backend")
    assert [finding for finding in findings if not expected.search(finding)] == []


# Seconds; an Elasticsearch's hook waits 50 for who still asks it.
GRACE, GRACE_OF_ELASTICSEARCH = 30, 90


@pytest.mark.usefixtures("application")
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
    before = f"count(up @ {now - 60:.0f})"
    scraped = query(PROMETHEUS, before)[0]["value"][1]
    # Those of before, for the application goes on.
    then = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - 60))
    old = f'canary AND @timestamp:[* TO "{then}"]'
    lines = documents(project, api, old)
    assert lines
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

    until(lambda: len(running(api)) == len(took) and all(is_ready(pod) for pod in pods(api)), 300, "every pod again")
    assert query(PROMETHEUS, before)[0]["value"][1] == scraped
    assert "kept" in ask(f"{ALERTMANAGER}/api/v2/silences").text
    assert documents(project, api, old) == lines
    assert execute(project, "grafana-0", "ls", keep, container="grafana").strip() == keep
    until(lambda: ask(f"{JAEGER}/api/traces/{TRACE}").status == 200, 60, "the trace of before")
    until(lambda: ask(f"{GRAFANA}/api/search", ADMIN).status == 200, 60, "Grafana with the password that it had")


def _whole(value: Any) -> Any:
    """Return a document with whole numbers where they are whole."""
    return json.loads(
        json.dumps(value), parse_float=lambda text: int(float(text)) if text.endswith(".0") else float(text)
    )


def _answers(url: str, pool: urllib3.PoolManager) -> bool:
    return ask(url, pool=pool).status < 500


def running(api: Api) -> list[dict[str, Any]]:
    """Return the pods of the stack that run, which those of Jobs do no more."""
    return [pod for pod in pods(api) if pod["status"]["phase"] == "Running"]


def _is_gone(api: Api, uid: str) -> bool:
    return all(pod["metadata"]["uid"] != uid for pod in pods(api))
