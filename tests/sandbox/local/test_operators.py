"""The operators run with what their charts give their pods: the rights, the arguments, the environment."""

import base64
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from kubernetes import client

from sandbox.processes import running
from sandbox.program_pins import ECK_OPERATOR, JAEGER_OPERATOR
from tests.sandbox.conftest import Api, Project

BINDING = "mangakai-jaeger-operator"
# What an operator asks for and does without, as it says itself.
OPTIONAL = "could not get a list of namespaces, disabling namespace controller"


def refusals(project: Project) -> list[str]:
    """Return the lines in the operators' logs in which the API server refused something."""
    lines = [line for log in project.sandbox.logs.glob("*-operator.log") for line in log.read_text().splitlines()]
    return [line for line in lines if "forbidden" in line and OPTIONAL not in line]


def until(what: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"not after {seconds} s"
        time.sleep(0.2)


def test_nothing_that_the_operators_do_is_refused(project: Project) -> None:
    assert {log.name for log in project.sandbox.logs.glob("*-operator.log")} == {
        f"{program.name}.log" for program in (ECK_OPERATOR, JAEGER_OPERATOR)
    }
    assert refusals(project) == []


def test_they_have_the_rights_arguments_and_environment_of_their_pods(project: Project) -> None:
    def shown(name: str, file: str) -> list[str]:
        (pid,) = running(project.sandbox)[name]
        return Path(f"/proc/{pid}/{file}").read_text().split("\0")

    jaeger = shown(JAEGER_OPERATOR.name, "environ")
    assert {"WATCH_NAMESPACE=monitoring", "POD_NAMESPACE=monitoring", "OPERATOR_NAME=jaeger-operator"} <= set(jaeger)
    assert shown(JAEGER_OPERATOR.name, "cmdline")[1:3] == ["start", "--metrics-port=8383"]
    eck = shown(ECK_OPERATOR.name, "cmdline")
    (config,) = (each.removeprefix("--config=") for each in eck if each.startswith("--config="))
    assert "namespaces: [monitoring,monitoring-agents]" in Path(config).read_text()
    for name in (ECK_OPERATOR.name, JAEGER_OPERATOR.name):
        (kubeconfig,) = (each for each in shown(name, "environ") if each.startswith("KUBECONFIG="))
        user = Path(kubeconfig.removeprefix("KUBECONFIG=")).read_text()
        assert '"token"' in user
        assert "client-certificate-data" not in user


@pytest.mark.parametrize("cluster", ["mangakai-logs", "mangakai-traces"])
def test_the_authority_of_an_elasticsearch_outlives_who_has_read_it_once(api: Api, cluster: str) -> None:
    secret = f"/api/v1/namespaces/monitoring/secrets/{cluster}-es-http-certs-public"
    authority = x509.load_pem_x509_certificate(base64.b64decode(api.made(secret)["data"]["ca.crt"]))
    assert authority.not_valid_after_utc - datetime.now(UTC) > timedelta(days=9 * 365)


def test_a_right_that_is_taken_away_is_noticed(project: Project, api: Api) -> None:
    """As a chart's upgrade might: the operator that is started then waits for ever for what it may not list."""
    rbac = client.RbacAuthorizationV1Api(api.connection)
    rbac.delete_cluster_role_binding(BINDING)
    log = project.sandbox.logs / f"{JAEGER_OPERATOR.name}.log"
    before = log.stat().st_size

    def said() -> str:
        return log.read_bytes()[before:].decode()

    try:
        api.core.delete_collection_namespaced_pod("monitoring", label_selector="app.kubernetes.io/name=jaeger-operator")
        until(lambda: re.search(r'cannot list resource "ingressclasses".* at the cluster scope', said()))
        assert "Starting workers" not in said()
    finally:
        # By the engine: what somebody else had a hand in keeps what the program leaves out later.
        project.pulumi("local", "up", "--yes", "--skip-preview", "--refresh")
        until(lambda: "Starting workers" in said(), 120)
    assert refusals(project)
    log.write_text("")
