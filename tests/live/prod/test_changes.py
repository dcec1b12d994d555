"""The stack `prod` on a live cluster while it changes: it goes on serving, and what changed reaches everybody."""

import itertools
import json
import time
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
import urllib3

from components.foundation.set_up_job import IMAGE
from sandbox.sizes import of_one_machine
from sandbox.stacks import laid_over
from tests.live import application as canary
from tests.live import checks
from tests.live.asking import ask, bring_up, is_ready, pods, until
from tests.live.checks import ALERTMANAGER, PROMETHEUS
from tests.live.elastic import elastic, numbers
from tests.live.people import mails
from tests.live.prod.logins import WEB
from tests.live.watch import watched
from tests.sandbox.conftest import Api, Project

REACHES_SECONDS = 120
_POOL = urllib3.PoolManager()
PASSWORD = "canary-second-9d41"
RECEIVER: dict[str, Any] = {"alertmanager": {"oncallEmail": "night@mangakai.com"}}
_JAEGER = {"resources": {"requests": {"memory": "272Mi"}}}
# What restarts every pod of these.
RESTARTED: dict[str, Any] = laid_over(
    RECEIVER,
    {
        "alertmanager": {"resources": {"requests": {"memory": "144Mi"}}},
        "prometheus": {"retention": "14d"},
        "logs": {"elasticsearch": {"resources": {"requests": {"memory": "1088Mi"}}}},
        "traces": {"collector": _JAEGER, "query": _JAEGER},
    },
)
FEWER_NODES = laid_over(RESTARTED, {"logs": {"elasticsearch": {"nodes": 1}}})
# Asks inside the cluster, twice a second once each has answered, and prints what did not serve twice in a row.
WATCHER = """
import base64, json, ssl, sys, threading, time, urllib.request
tls = ssl._create_unverified_context()
def ask(url, body, login):
    headers = {"Content-Type": "application/json"}
    if login:
        headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
    request = urllib.request.Request(url, body.encode() if body else None, headers)
    if '"status":"red"' in urllib.request.urlopen(request, timeout=10, context=tls).read().decode():
        raise ValueError("red")
def watch(url, body, login):
    served, failed = False, 0
    while True:
        try:
            ask(url, body, login)
            served, failed = True, 0
        except Exception as error:
            failed += 1
            if served and failed > 1:
                print(time.strftime("%H:%M:%S"), url, error, flush=True)
        time.sleep(0.5)
for arguments in json.loads(sys.argv[1]):
    threading.Thread(target=watch, args=arguments).start()
"""


def bring_up_with(project: Project, changed: dict[str, Any], **secrets: str) -> None:
    """Lay what is changed over the settings of the stack, set these secrets, and bring it up."""
    project.prepare("prod", **laid_over(of_one_machine(project.folder), changed))
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
        (mail,) = until(lambda: mails(api, name), 60, "the mail")
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
    told = mails(api, "CRITICAL")
    watch_inside(project, api)
    with ExitStack() as stack:
        failed = {url: stack.enter_context(watched(partial(served, url))) for url in (PROMETHEUS, ALERTMANAGER)}
        bring_up_with(project, RESTARTED)
        until(lambda: rolled_out(api, before), 600, "every pod of Elasticsearch anew")
        until(lambda: all(is_ready(pod) for pod in pods(api)), 300, "every pod ready")
    assert failed == {PROMETHEUS: [], ALERTMANAGER: []}
    assert inside(api) == []
    again = mails(api, "CRITICAL")[len(told) :]
    assert [mail for number, mail in enumerate(again) if mail in told + again[:number]] == []
    written = canary.last_number(api)
    until(lambda: numbers(project, api) >= set(range(1, written + 1)), 120, "each line of the application")


@pytest.mark.usefixtures("application")
def test_two_nodes_of_elasticsearch_are_taken_away_and_nothing_is_lost(project: Project, api: Api) -> None:
    bring_up_with(project, FEWER_NODES)
    # The one that is left restarts too, for it is no more one of several zones, and has the only copy of what it holds.
    until(lambda: [is_ready(pod) for pod in of_the_logs(api)] == [True], 600, "one node of Elasticsearch")
    written = canary.last_number(api)
    until(lambda: numbers(project, api) >= set(range(1, written + 1)), 120, "each line of the application")
    checks.every_target_is_up(WEB, checks.OF_THE_APPLICATION)


def served(url: str) -> None:
    """Raise if a server does not say that it is ready, nor when it is asked again, at once and two seconds later.

    kube-proxy learns once a second who has stopped, and neither chart has a place for a hook that would wait for it.
    """
    headers = {"Connection": "close", **urllib3.make_headers(basic_auth=":".join(WEB))}
    again = urllib3.Retry(2, backoff_factor=1)
    answer = _POOL.request("GET", f"{url}/-/ready", headers=headers, timeout=3, retries=again)
    assert answer.status == 200, answer.data


def watch_inside(project: Project, api: Api) -> None:
    """Start a pod that asks Jaeger and Elasticsearch."""
    endpoint = json.loads(project.pulumi("prod", "stack", "output", "--json").stdout)["otlpEndpoint"]
    health = "https://mangakai-logs-es-http.monitoring.svc:9200/_cluster/health"
    asked = [
        [f"{endpoint}/v1/traces", canary.trace(), None],
        ["http://mangakai-jaeger-query.monitoring.svc:16686/api/services", None, None],
        [health, None, ":".join(elastic(api))],
    ]
    container = {"name": "watcher", "image": IMAGE, "command": ["python", "-c", WATCHER, json.dumps(asked)]}
    pod: Any = {
        "metadata": {"name": "watcher"},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }
    api.core.create_namespaced_pod(canary.NAMESPACE, pod)


def inside(api: Api) -> list[str]:
    """Return what did not serve the pod that asks."""
    log = api.core.read_namespaced_pod_log("watcher", canary.NAMESPACE)
    return list(log.splitlines())


def of_the_logs(api: Api) -> list[dict[str, Any]]:
    """Return the pods of the Elasticsearch of the logs."""
    return [pod for pod in pods(api) if pod["metadata"]["name"].startswith("mangakai-logs-es-")]


def rolled_out(api: Api, before: set[str]) -> bool:
    """Return whether each pod of the Elasticsearch of the logs is another one than before."""
    return not before & {pod["metadata"]["uid"] for pod in of_the_logs(api)}
