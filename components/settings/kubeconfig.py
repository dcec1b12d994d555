"""Whether the kubeconfig at hand leads to the cluster that a stack names."""

import os
from pathlib import Path
from typing import Any

import yaml

from .foundation import ClusterSettings


def problems(cluster: ClusterSettings) -> list[str]:
    """Return what is wrong with the kubeconfig for `cluster`, in one line, or nothing.

    It is read from the files that KUBECONFIG lists, else from ~/.kube/config, and the first that has a name wins, as
    for the Kubernetes provider.
    """
    paths = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    contexts: dict[str, Any] = {}
    clusters: dict[str, Any] = {}
    for path in map(Path, filter(None, paths.split(os.pathsep))):
        try:
            config = (yaml.safe_load(path.read_text()) if path.is_file() else None) or {}
            contexts = {entry["name"]: entry["context"] for entry in config.get("contexts") or []} | contexts
            clusters = {entry["name"]: entry["cluster"] for entry in config.get("clusters") or []} | clusters
        except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
            return [f"cluster.context: the kubeconfig {path} cannot be read ({error}). Set KUBECONFIG"]
    if cluster.context not in contexts:
        there = ", ".join(sorted(contexts)) or "none"
        return [
            f"cluster.context: the kubeconfig has no context {cluster.context!r}; it has: {there}. "
            "On EKS: aws eks update-kubeconfig --name <cluster> --alias <context>"
        ]
    server = clusters.get(contexts[cluster.context].get("cluster"), {}).get("server")
    if server != cluster.server:
        return [
            f"cluster.server: context {cluster.context!r} leads to {server}, but this stack belongs to "
            f"{cluster.server}. Choose the right kubeconfig, or correct the setting"
        ]
    return []
