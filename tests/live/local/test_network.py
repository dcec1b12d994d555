"""Who reaches whom in the stack `local` on the live cluster, which enforces NetworkPolicies and source ranges."""

import contextlib
import time
from pathlib import Path
from typing import Any

import pytest
import urllib3
from kubernetes import client
from urllib3.exceptions import HTTPError

from sandbox.live.layout import NODE_NETWORK
from tests.live import connections
from tests.live.application import NAMESPACE
from tests.live.asking import execute, until
from tests.sandbox.conftest import Api, Project

TABLE = Path(__file__).with_name("connections.yaml")
DENIED: Any = {"metadata": {"name": "no-way-out"}, "spec": {"podSelector": {}, "policyTypes": ["Egress"]}}


@pytest.mark.usefixtures("application")
def test_each_part_reaches_whom_the_table_names_and_nobody_else(project: Project, api: Api) -> None:
    connections.check(project, api, TABLE)


def test_a_pod_that_a_policy_shuts_in_reaches_nothing(project: Project, api: Api, application: str) -> None:
    collector = api.get("/api/v1/namespaces/monitoring/services/mangakai-jaeger-collector")["spec"]["clusterIP"]
    program = f"""
import socket
try:
    socket.create_connection(("{collector}", 4318), timeout=3).close()
except OSError as error:
    print(type(error).__name__)
else:
    print("connected")
"""

    def connects() -> bool:
        return execute(project, application, "python", "-c", program, namespace=NAMESPACE) == "connected\n"

    assert connects()
    networking = client.NetworkingV1Api(api.connection)
    networking.create_namespaced_network_policy(NAMESPACE, DENIED)
    try:
        began = time.monotonic()
        until(lambda: not connects(), 60, "that the policy is enforced")
        print(f"\nenforced after {time.monotonic() - began:.0f} s")
        assert not connects()
    finally:
        networking.delete_namespaced_network_policy("no-way-out", NAMESPACE)
    until(connects, 60, "the way out")


def test_a_load_balancer_answers_only_whom_its_source_ranges_name(api: Api) -> None:
    port = 9999
    ports = [{"port": port, "targetPort": 3000}]
    spec = {"type": "LoadBalancer", "selector": {"app.kubernetes.io/name": "grafana"}, "ports": ports}
    service: Any = {"metadata": {"name": "ranges"}, "spec": {**spec, "loadBalancerSourceRanges": ["10.0.0.0/8"]}}
    once = urllib3.PoolManager(retries=False, timeout=3)

    def answers() -> bool:
        with contextlib.suppress(HTTPError):
            return bool(once.request("GET", f"http://localhost:{port}/").status)
        return False

    api.core.create_namespaced_service("monitoring", service)
    try:
        until(lambda: api.get("/api/v1/namespaces/monitoring/services/ranges")["status"]["loadBalancer"], 30, "address")
        # Each look waits as long as kube-proxy takes to learn of a Service, and longer.
        assert not any(answers() for _ in range(3))
        admitted: Any = {"spec": {"loadBalancerSourceRanges": [NODE_NETWORK]}}
        api.core.patch_namespaced_service("ranges", "monitoring", admitted)
        until(answers, 30, "an answer")
    finally:
        api.core.delete_namespaced_service("ranges", "monitoring")
