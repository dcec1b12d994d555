"""A Job that ends once an Elasticsearch answers: what cannot work without it comes after that, and does not crash."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pulumi
from pulumi_kubernetes import batch

from ..foundation.placement import Placement
from ..foundation.pod_security import AS_NOBODY, RESTRICTED
from ..foundation.set_up_job import IMAGE, set_up_job
from .connection import ElasticsearchConnection

_CA = "/certificates"
PROGRAM = Path(__file__).with_name("until_answered.py").read_text()


def awaited(
    connection: ElasticsearchConnection, placement: Placement, component: str, opts: pulumi.ResourceOptions
) -> batch.v1.Job:
    """Return a Job that is done when the cluster answers the connection's user.

    Args:
        connection: the cluster, and who asks it.
        placement: where it runs: beside the Secrets of the connection.
        component: the part of the system that waits.
        opts: with the parent, and the cluster itself.
    """
    container = _container(connection)
    version = hashlib.sha256(json.dumps(container).encode()).hexdigest()[:8]
    name = f"{connection.cluster}-awaited"
    certificate = {"secretName": connection.ca_secret, "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    pod = {
        "automountServiceAccountToken": False,
        "securityContext": AS_NOBODY,
        "containers": [container],
        "volumes": [{"name": "certificates", "secret": certificate}],
    }
    timeout = placement.charts.timeout_seconds
    return set_up_job(name, f"{name}-{version}", component, placement.namespace, pod, timeout, opts)


def _container(connection: ElasticsearchConnection) -> dict[str, Any]:
    password = {"secretKeyRef": {"name": connection.user_secret, "key": "password"}}
    return {
        "name": "awaited",
        "image": IMAGE,
        "command": ["python", "-c", PROGRAM],
        "env": [
            {"name": "URL", "value": connection.url},
            {"name": "CA", "value": f"{_CA}/ca.crt"},
            {"name": "PASSWORD", "valueFrom": password},
            {"name": "LOGIN", "value": f"{connection.username}:$(PASSWORD)"},
        ],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": RESTRICTED,
        "volumeMounts": [{"name": "certificates", "mountPath": _CA, "readOnly": True}],
    }
