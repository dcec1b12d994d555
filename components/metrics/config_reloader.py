"""The container that makes Prometheus and Alertmanager read their files again when these change."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..foundation.pod_security import RESTRICTED

# renovate: datasource=docker depName=quay.io/prometheus-operator/prometheus-config-reloader
IMAGE = "quay.io/prometheus-operator/prometheus-config-reloader:v0.93.1"
PORT = 8080


def container(reload_url: str, folders: Sequence[str], mounts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the container of Prometheus' operator project.

    The charts' own would take a URL with a password only as an argument, which everybody on the node can read.

    Args:
        reload_url: the flag, or @ and the path of a file with the flag, for a URL that holds a password.
        folders: what it watches.
        mounts: where these and the file come from.
    """
    probe = {"httpGet": {"path": "/healthz", "port": PORT}}
    return {
        "name": "config-reloader",
        "image": IMAGE,
        "args": [f"--listen-address=:{PORT}", *(f"--watched-dir={folder}" for folder in folders), reload_url],
        "ports": [{"name": "reloader", "containerPort": PORT}],
        "livenessProbe": probe,
        "readinessProbe": probe,
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": RESTRICTED,
        "volumeMounts": [*mounts],
    }
