"""Whether the kubeconfig at hand leads to the cluster that a stack names."""

from typing import Any

from kubernetes.config import ConfigException
from kubernetes.config.kube_config import KUBE_CONFIG_DEFAULT_LOCATION, KubeConfigMerger

from .platform import ClusterSettings


def problems(cluster: ClusterSettings) -> list[str]:
    """Return what is wrong with the kubeconfig for `cluster`, in one line, or nothing.

    It is read from KUBECONFIG, else from its usual place, as the Kubernetes provider does.
    """
    try:
        merged = KubeConfigMerger(KUBE_CONFIG_DEFAULT_LOCATION).config  # type: ignore[no-untyped-call]
        config: dict[str, Any] = merged.value if merged else {}
    except ConfigException as error:
        return [f"cluster.context: the kubeconfig cannot be read ({error}). Set KUBECONFIG"]
    contexts = {context["name"]: context["context"] for context in config.get("contexts") or []}
    if cluster.context not in contexts:
        there = ", ".join(sorted(contexts)) or "none"
        return [
            f"cluster.context: the kubeconfig has no context {cluster.context!r}; it has: {there}. "
            "On EKS: aws eks update-kubeconfig --name <cluster> --alias <context>"
        ]
    servers = {entry["name"]: entry["cluster"].get("server") for entry in config.get("clusters") or []}
    server = servers.get(contexts[cluster.context]["cluster"])
    if server != cluster.server:
        return [
            f"cluster.server: context {cluster.context!r} leads to {server}, but this stack belongs to "
            f"{cluster.server}. Choose the right kubeconfig, or correct the setting"
        ]
    return []
