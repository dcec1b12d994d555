"""The rules over pods and rights, asked of what the charts and the real operators have made on the sandbox."""

from collections.abc import Iterator
from typing import Any

from development.workload_rules import broken
from tests.parts import whose
from tests.sandbox.conftest import Api

NAMESPACES = ("monitoring", "monitoring-agents", "mangakai-prod")
OF_A_NAMESPACE = {
    "/api/v1": {"pods": "Pod"},
    "/apis/apps/v1": {"deployments": "Deployment", "statefulsets": "StatefulSet", "daemonsets": "DaemonSet"},
    "/apis/batch/v1": {"jobs": "Job", "cronjobs": "CronJob"},
    "/apis/rbac.authorization.k8s.io/v1": {"roles": "Role", "rolebindings": "RoleBinding"},
}
OF_THE_CLUSTER = {"clusterroles": "ClusterRole", "clusterrolebindings": "ClusterRoleBinding"}
# What the cluster has without us.
BUILT_IN = ("system:", "kubeadm:", "sandbox-", "kube-")
BUILT_IN_ROLES = {"admin", "edit", "view", "cluster-admin"}


def objects(api: Api) -> Iterator[dict[str, Any]]:
    """Yield every object that the rules are about."""
    for group, kinds in OF_A_NAMESPACE.items():
        for plural, kind in kinds.items():
            for namespace in NAMESPACES:
                yield from _items(api, f"{group}/namespaces/{namespace}/{plural}", kind)
    for plural, kind in OF_THE_CLUSTER.items():
        for item in _items(api, f"/apis/rbac.authorization.k8s.io/v1/{plural}", kind):
            name = item["metadata"]["name"]
            if not name.startswith(BUILT_IN) and name not in BUILT_IN_ROLES:
                yield item


def _items(api: Api, path: str, kind: str) -> Iterator[dict[str, Any]]:
    yield from ({**item, "kind": kind} for item in api.get(path)["items"])


def check(api: Api) -> None:
    """Fail where an object breaks a rule that no exception excuses, or has not the NetworkPolicy of one part."""
    found = list(objects(api))
    kinds = {each["kind"] for each in found}
    assert kinds >= {"StatefulSet", "Deployment", "DaemonSet", "Job", "CronJob", "Role", "ClusterRole"}, kinds
    assert broken(found, whole=False) == []
    wrong = {name: parts for name, metadata in _pods(found) if len(parts := whose(metadata)) != 1}
    assert wrong == {}


def _pods(found: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the metadata of the stack's pods, by what makes them, but for those in the network of their node."""
    for each in found:
        spec = each.get("spec", {}).get("jobTemplate", each).get("spec", {})
        template, namespace = spec.get("template"), each["metadata"].get("namespace")
        if template and namespace in NAMESPACES[:2] and not template["spec"].get("hostNetwork"):
            yield f"{each['kind']} {each['metadata']['name']}", {**template["metadata"], "namespace": namespace}


def check_drains(api: Api) -> None:
    """Fail where replicas may all be away at once, or one alone keeps its node from being drained."""
    namespace = f"namespaces/{NAMESPACES[0]}"
    budgets = api.get(f"/apis/policy/v1/{namespace}/poddisruptionbudgets")["items"]
    replicated = 0
    for plural in ("deployments", "statefulsets"):
        for workload in api.get(f"/apis/apps/v1/{namespace}/{plural}")["items"]:
            name, replicas = workload["metadata"]["name"], workload["spec"]["replicas"]
            template = workload["spec"]["template"]
            of_it = [one["spec"] for one in budgets if _selects(one, template["metadata"]["labels"])]
            if name.endswith("-es-default"):
                # Elastic's operator looks after these: as many as the health of the cluster allows.
                assert len(of_it) == 1, name
            elif replicas == 1:
                assert of_it == [], name
            else:
                replicated += 1
                (budget,) = of_it
                assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow"), name
                terms = template["spec"]["affinity"]["podAntiAffinity"][
                    "preferredDuringSchedulingIgnoredDuringExecution"
                ]
                apart = {term["podAffinityTerm"]["topologyKey"] for term in terms}
                assert apart == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}, name
                assert all(_has(term["podAffinityTerm"], template["metadata"]["labels"]) for term in terms), name
    print(f"\n{replicated} workloads of several replicas, {len(budgets)} budgets")


def check_priority(api: Api) -> None:
    """Fail where a pod that runs on is evicted before others: each workload's, but those of Jobs."""
    value = api.get("/apis/scheduling.k8s.io/v1/priorityclasses/mangakai-monitoring")["value"]
    workloads = [
        one
        for namespace in NAMESPACES[:2]
        for plural, kind in OF_A_NAMESPACE["/apis/apps/v1"].items()
        for one in _items(api, f"/apis/apps/v1/namespaces/{namespace}/{plural}", kind)
    ]
    print(f"\n{len(workloads)} workloads of priority {value}")
    assert [
        one["metadata"]["name"]
        for one in workloads
        if one["spec"]["template"]["spec"].get("priorityClassName") != "mangakai-monitoring"
    ] == []


def _selects(budget: dict[str, Any], labels: dict[str, str]) -> bool:
    return _has({"labelSelector": budget["spec"]["selector"]}, labels)


def _has(term: dict[str, Any], labels: dict[str, str]) -> bool:
    """Return whether labels are those that are selected."""
    wanted: dict[str, str] = term["labelSelector"]["matchLabels"]
    return labels.items() >= wanted.items()
