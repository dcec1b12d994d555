"""What alerts read is taken away on the live cluster, one source after the other, and Alertmanager tells of each."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client

from components.foundation.set_up_job import IMAGE
from tests.live import checks
from tests.live.application import NAMESPACE
from tests.live.asking import ask, execute, pods, query, until, unwell
from tests.live.checks import ALERTMANAGER, PROMETHEUS
from tests.sandbox.conftest import Api, Project

# Seconds: what the rule waits, and a minute for the pod to end, for Prometheus to learn of it, and for the evaluation.
TARGETS_MISSING, TARGET_DOWN, NGINX_DOWN = 5 * 60 + 60, 60 + 60, 60 + 60
NGINX = "mangakai-nginx-service"
SERVE = """
import http.server, pathlib
page = pathlib.Path("/tmp/nginx_up")
page.write_text("nginx_up 1\\n")
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(page.read_bytes())
http.server.ThreadingHTTPServer(("", 9113), Page).serve_forever()
"""


@pytest.fixture
def nginx(api: Api) -> Iterator[str]:
    """The name of a pod that answers as the exporter beside Nginx does, behind its Service; it is scraped."""
    container = {"name": "exporter", "image": IMAGE, "command": ["python", "-c", SERVE]}
    pod: Any = {
        "metadata": {"name": "nginx", "labels": {"app": "mangakai-nginx"}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }
    service: Any = {
        "metadata": {"name": NGINX},
        "spec": {"selector": {"app": "mangakai-nginx"}, "ports": [{"name": "metrics", "port": 9113}]},
    }
    api.core.create_namespaced_service(NAMESPACE, service)
    api.core.create_namespaced_pod(NAMESPACE, pod)
    until(lambda: not unwell(api.get(f"/api/v1/namespaces/{NAMESPACE}/pods/nginx")), 60, "the exporter's pod")
    until(lambda: query(PROMETHEUS, 'nginx_up{job="nginx"} == 1'), 120, "a scrape of it")
    yield "nginx"
    api.core.delete_namespaced_service(NGINX, NAMESPACE)
    if any(each["metadata"]["name"] == "nginx" for each in pods(api, NAMESPACE)):
        api.core.delete_namespaced_pod("nginx", NAMESPACE)


def told(alert: str, **labels: str) -> bool:
    """Return whether Alertmanager has an alert with these labels that nothing mutes."""
    alerts = ask(f"{ALERTMANAGER}/api/v2/alerts?active=true&silenced=false&inhibited=false").document
    return any(one["labels"].items() >= {"alertname": alert, **labels}.items() for one in alerts)


def see_told(within: float, alert: str, **labels: str) -> None:
    """Wait until an alert is told that was not before."""
    began = time.monotonic()
    until(lambda: told(alert, **labels), within, f"{alert} {labels}")
    print(f"\n{alert} {labels}: told after {time.monotonic() - began:.0f} s")


@pytest.mark.long
def test_nginx_that_is_dead_and_its_exporter_that_is_gone_are_told(project: Project, api: Api, nginx: str) -> None:
    execute(project, nginx, "sh", "-c", "echo nginx_up 0 > /tmp/nginx_up", namespace=NAMESPACE)
    see_told(NGINX_DOWN, "NginxDown", severity="critical")
    api.core.delete_namespaced_pod(nginx, NAMESPACE)
    see_told(TARGET_DOWN, "TargetDown", job="nginx", severity="critical")


@pytest.mark.long
def test_kube_state_metrics_that_is_gone_is_told(api: Api) -> None:
    apps = client.AppsV1Api(api.connection)
    assert not told("TargetsMissing", scrape_job="kube-state-metrics")
    apps.patch_namespaced_deployment_scale("kube-state-metrics", "monitoring", {"spec": {"replicas": 0}})
    try:
        see_told(TARGETS_MISSING, "TargetsMissing", scrape_job="kube-state-metrics")
    finally:
        apps.patch_namespaced_deployment_scale("kube-state-metrics", "monitoring", {"spec": {"replicas": 1}})
    until(lambda: query(PROMETHEUS, 'up{job="kube-state-metrics"} == 1'), 120, "kube-state-metrics")


@pytest.mark.long
def test_a_nodes_exporter_that_is_gone_is_told(api: Api) -> None:
    apps = client.AppsV1Api(api.connection)

    def select(node: str | None) -> None:
        template = {"spec": {"nodeSelector": {"mangakai.com/no-such-node": node}}}
        apps.patch_namespaced_daemon_set("node-exporter", "monitoring-agents", {"spec": {"template": template}})

    assert not told("TargetsMissing", scrape_job="node-exporter")
    select("true")
    try:
        see_told(TARGETS_MISSING, "TargetsMissing", scrape_job="node-exporter")
    finally:
        select(None)
    until(lambda: query(PROMETHEUS, 'up{job="node-exporter"} == 1'), 120, "the node's exporter")
    until(lambda: checks.all_are_ready(api), 120, "every pod ready")
