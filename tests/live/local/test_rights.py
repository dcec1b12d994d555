"""What each ServiceAccount may do, as the API server answers it to the ServiceAccount itself."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from components.foundation import account_token
from tests.sandbox.conftest import Api

TABLE = Path(__file__).with_name("rights.yaml")
NAMESPACES = ("monitoring", "monitoring-agents")
# Where Roles are, and one where none is: what somebody may do there, they may do everywhere.
WITH_ROLES = (*NAMESPACES, "mangakai-prod", "default")
ELSEWHERE = "kube-node-lease"
# The verbs, and what they are allowed on.
Right = tuple[str, str]


def may(api: Api, account: str, namespace: str) -> set[Right]:
    """Return what a ServiceAccount, `<namespace>/<name>`, may do in a namespace."""
    owner, _, name = account.partition("/")
    connection = api.connection
    as_account = {
        "Impersonate-User": f"system:serviceaccount:{owner}:{name}",
        "Impersonate-Group": "system:authenticated",
        "Content-Type": "application/json",
    }
    path, review = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {"spec": {"namespace": namespace}}
    answer = connection.call_api(
        *connection.param_serialize("POST", path, header_params=as_account, body=review, auth_settings=["BearerToken"])
    )
    status = json.loads(answer.read())["status"]  # type: ignore[no-untyped-call]
    return {right for rule in status["resourceRules"] + status["nonResourceRules"] for right in rights(rule)}


def rights(rule: dict[str, Any]) -> Iterator[Right]:
    """Yield the verbs and the kind of object, for each kind of a rule, with the names that it is limited to."""
    verbs = " ".join(sorted(rule["verbs"]))
    names = f" {' '.join(rule['resourceNames'])}" if rule.get("resourceNames") else ""
    kinds = [
        f"{kind}.{group}".removesuffix(".") + names for group in rule.get("apiGroups", []) for kind in rule["resources"]
    ]
    for what in [*rule.get("nonResourceURLs", []), *kinds]:
        yield verbs, what


def by_verbs(given: set[Right]) -> dict[str, list[str]]:
    """Return what may be done, by the verbs."""
    found: dict[str, list[str]] = {}
    for verbs, what in sorted(given):
        found.setdefault(verbs, []).append(what)
    return found


def test_each_may_do_what_the_table_says_and_no_more(api: Api) -> None:
    nobody = {where: may(api, "default/default", where) for where in (ELSEWHERE, *WITH_ROLES)}
    accounts = [
        f"{space}/{account['metadata']['name']}"
        for space in NAMESPACES
        for account in api.get(f"/api/v1/namespaces/{space}/serviceaccounts")["items"]
    ]
    found: dict[str, dict[str, dict[str, list[str]]]] = {}
    for account in sorted(accounts):
        everywhere = may(api, account, ELSEWHERE) - nobody[ELSEWHERE]
        there = {space: may(api, account, space) - nobody[space] - everywhere for space in WITH_ROLES}
        found[account] = {where: by_verbs(can) for where, can in {"cluster": everywhere, **there}.items() if can}
    assert found == yaml.safe_load(TABLE.read_text())


def test_the_token_is_where_the_api_server_is_asked_and_nowhere_else(api: Api) -> None:
    mounts = {
        f"{pod['spec']['serviceAccountName']}/{container['name']}"
        for space in NAMESPACES
        for pod in api.get(f"/api/v1/namespaces/{space}/pods")["items"]
        for container in pod["spec"].get("initContainers", []) + pod["spec"]["containers"]
        if any(mount["mountPath"] == account_token.MOUNT["mountPath"] for mount in container.get("volumeMounts", []))
    }
    assert mounts == {
        "prometheus/prometheus-server",
        "kube-state-metrics/kube-state-metrics",
        "grafana/grafana-sc-dashboard",
        "grafana/grafana-sc-datasources",
        "elastic-operator/manager",
        "jaeger-operator/jaeger-operator",
        "filebeat/filebeat",
        "kubernetes-events/kubernetes-events",
    }
