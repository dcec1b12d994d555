"""What a destroy leaves on a cluster."""

from tests.sandbox.conftest import Api
from tests.sandbox.workloads import BUILT_IN, BUILT_IN_ROLES


def left(api: Api) -> dict[str, set[str]]:
    """Return what is in the cluster of our namespaces and of the cluster's scope, by kind."""

    def names(path: str) -> set[str]:
        return {item["metadata"]["name"] for item in api.get(path)["items"]}

    def ours(path: str) -> set[str]:
        return {name for name in names(path) if not name.startswith(BUILT_IN) and name not in BUILT_IN_ROLES}

    return {
        "namespaces": names("/api/v1/namespaces") & {"monitoring", "monitoring-agents"},
        "cluster roles": ours("/apis/rbac.authorization.k8s.io/v1/clusterroles"),
        "bindings": ours("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"),
        "storage classes": names("/apis/storage.k8s.io/v1/storageclasses") - {"standard"},
        "priority classes": names("/apis/scheduling.k8s.io/v1/priorityclasses")
        - {"system-cluster-critical", "system-node-critical"},
        "Helm records": set(map(str, range(len(api.helm_records())))),
    }
