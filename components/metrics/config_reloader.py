"""The container that makes Prometheus and Alertmanager read their files again when these change."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..foundation.pod_security import RESTRICTED

# renovate: datasource=docker depName=quay.io/prometheus-operator/prometheus-config-reloader
IMAGE = "quay.io/prometheus-operator/prometheus-config-reloader:v0.93.1"
PORT = 8080


def container(
    program: str, port: int, folders: Sequence[str], mounts: Sequence[Mapping[str, Any]], web: str | None
) -> dict[str, Any]:
    """Return the container of Prometheus' operator project.

    The charts' own would take a URL with a password only as an argument, which everybody on the node can read.

    Args:
        program: that reads its files again: prometheus or alertmanager.
        port: where it listens in the pod.
        folders: what is watched.
        mounts: where these and `web` come from.
        web: where the Secret with the password is mounted; None where the program asks for none.
    """
    url = f"@{web}/{program}-reloader-arguments" if web else f"--reload-url=http://127.0.0.1:{port}/-/reload"
    probe = {"httpGet": {"path": "/healthz", "port": PORT}}
    return {
        "name": "config-reloader",
        "image": IMAGE,
        "args": [f"--listen-address=:{PORT}", *(f"--watched-dir={folder}" for folder in folders), url],
        "ports": [{"name": "reloader", "containerPort": PORT}],
        "livenessProbe": probe,
        "readinessProbe": probe,
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": RESTRICTED,
        "volumeMounts": [*mounts],
    }
