"""The check that the kubeconfig at hand leads to the cluster that a stack names."""

import os
from collections.abc import Mapping

import yaml
from kubernetes.config import ConfigException
from kubernetes.config.kube_config import KubeConfigMerger

from .foundation import ClusterSettings


def problems(cluster: ClusterSettings, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return what is wrong with the kubeconfig for `cluster`, in one line, or nothing.

    It is read from the files that KUBECONFIG lists, else from ~/.kube/config, and the first that has a name wins, as
    for the Kubernetes provider. Nobody is logged in for that.

    Args:
        cluster: which the stack names.
        environment: with KUBECONFIG; this process' own where none is given.
    """
    try:
        merged = KubeConfigMerger(environment.get("KUBECONFIG") or "~/.kube/config").config  # type: ignore[no-untyped-call]
        contexts = {entry["name"]: entry["context"] for entry in merged.value["contexts"]} if merged else {}
        if cluster.context not in contexts:
            there = ", ".join(sorted(contexts)) or "none"
            return [
                f"cluster.context: the kubeconfig has no context {cluster.context!r}; it has: {there}. "
                "On EKS: aws eks update-kubeconfig --name <cluster> --alias <context>"
            ]
        server = merged["clusters"].get_with_name(contexts[cluster.context]["cluster"])["cluster"]["server"]
    except (ConfigException, OSError, yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        return [f"cluster.context: the kubeconfig cannot be read ({error}). Mend it, or set KUBECONFIG to another"]
    if server != cluster.server:
        return [
            f"cluster.server: context {cluster.context!r} leads to {server}, but this stack belongs to "
            f"{cluster.server}. Choose the right kubeconfig, or correct the setting"
        ]
    return []
