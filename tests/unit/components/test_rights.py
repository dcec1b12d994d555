"""What parts may do in the cluster, where their charts give more than they need, or less."""

from typing import Any

import pytest

from components.foundation.helm_records import RELEASE_TYPE as RELEASE
from components.metrics import counted_objects
from tests.offline import Run, before

RBAC = "kubernetes:rbac.authorization.k8s.io/v1:"
READ = ["get", "list", "watch"]
KEPT = ["create", "delete", "list", "update"]
# By the name of the Role: where it counts, whose it is, and what it allows.
ROLES: dict[str, tuple[str, str, list[dict[str, Any]]]] = {
    "mangakai-elastic-operator": (
        "ClusterRole",
        "elastic-operator",
        [{"apiGroups": [""], "resources": ["nodes"], "verbs": READ}],
    ),
    "mangakai-jaeger-operator": (
        "ClusterRole",
        "jaeger-operator",
        [{"apiGroups": ["networking.k8s.io"], "resources": ["ingressclasses"], "verbs": READ}],
    ),
    "mangakai-prometheus": (
        "ClusterRole",
        "prometheus",
        [
            {"apiGroups": [""], "resources": ["nodes", "nodes/metrics", "pods", "services"], "verbs": READ},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": READ},
            {"nonResourceURLs": ["/metrics"], "verbs": ["get"]},
        ],
    ),
    "jaeger-operator-resources": (
        "Role",
        "jaeger-operator",
        [
            {
                "apiGroups": ["jaegertracing.io"],
                "resources": ["jaegers"],
                "verbs": ["get", "list", "patch", "update", "watch"],
            },
            {
                "apiGroups": ["jaegertracing.io"],
                "resources": ["jaegers/finalizers", "jaegers/status"],
                "verbs": ["patch", "update"],
            },
            {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": [*KEPT, "get", "watch"]},
            {"apiGroups": [""], "resources": ["configmaps", "serviceaccounts", "services"], "verbs": KEPT},
            {"apiGroups": ["batch"], "resources": ["cronjobs"], "verbs": KEPT},
            {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]},
            {"apiGroups": ["apps"], "resources": ["daemonsets"], "verbs": ["list"]},
            {"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": ["list"]},
            {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": ["list"]},
        ],
    ),
    "grafana-config-maps": (
        "Role",
        "grafana",
        [{"apiGroups": [""], "resources": ["configmaps"], "verbs": READ}],
    ),
}


def test_no_other_rights_are_given(stack: Run) -> None:
    kinds = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
    names = {one.name for kind in kinds for one in stack.of_type(f"{RBAC}{kind}")}
    namespaces = ("default", "mangakai-prod", "monitoring", "monitoring-agents")
    assert names == {*ROLES, *(f"kubernetes-events-of-{namespace}" for namespace in namespaces)}


@pytest.mark.parametrize("name", ROLES)
def test_a_part_has_its_rights_before_it_starts(stack: Run, name: str) -> None:
    kind, account, rules = ROLES[name]
    (role,) = (one for one in stack.of_type(f"{RBAC}{kind}") if one.name == name)
    (binding,) = (one for one in stack.of_type(f"{RBAC}{kind}Binding") if one.name == name)
    assert role.inputs["rules"] == rules
    assert binding.inputs["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
    assert binding.inputs["subjects"] == [{"kind": "ServiceAccount", "name": account, "namespace": "monitoring"}]
    (release,) = (one for one in stack.of_type(RELEASE) if one.name == account)
    assert binding.urn in before(release, stack)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("sum by (pod) (kube_pod_info) * on (pod) kube_pod_status_ready{}", ["pods"]),
        ("kube_ingress_info or kube_networkpolicy_labels", ["ingresses", "networkpolicies"]),
        ("kube_secret_info", ["secrets"]),
        ("kube_state_metrics_list_total, kube_apiserver_x, my_kube_node_info, kube_pod", []),
    ],
)
def test_a_kind_is_listed_where_something_reads_a_metric_of_it(text: str, kinds: list[str]) -> None:
    assert counted_objects.read_by([text]) == kinds


def test_no_secret_is_counted(stack: Run) -> None:
    (release,) = (one for one in stack.of_type(RELEASE) if one.name == "prometheus")
    assert release.inputs["values"]["kube-state-metrics"]["collectors"] == ["persistentvolumeclaims", "pods"]
