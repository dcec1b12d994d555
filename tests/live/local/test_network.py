"""NetworkPolicies on the live cluster are enforced, as the EKS of the documents does."""

import time
from typing import Any

from kubernetes import client

from tests.live.application import NAMESPACE
from tests.live.asking import execute, until
from tests.sandbox.conftest import Api, Project

DENIED: Any = {"metadata": {"name": "no-way-out"}, "spec": {"podSelector": {}, "policyTypes": ["Egress"]}}


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
