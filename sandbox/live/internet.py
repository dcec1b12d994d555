"""The pod that the live cluster's DNS leads to for names outside it: `sandbox.internet`, of this checkout."""

import sys
from typing import Any

from sandbox.internet import HTTPS_PORT, SUBMISSION_PORT
from sandbox.layout import CHECKOUT, Sandbox
from sandbox.live.layout import INTERNET_SERVICE, Live

NAME = "internet"
# The account of the committed stacks.
ACCOUNT = "111122223333"


def manifests(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Return its namespace, Deployment and Service.

    Its container has the machine's own files for a root folder: what it runs is not in an image.
    """
    metadata = {"name": NAME, "namespace": NAME}
    labels = {"app": NAME}
    variables = {
        "MOTO_ACCOUNT_ID": ACCOUNT,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONUNBUFFERED": "1",
        "TMPDIR": str(sandbox.temporary),
    }
    container = {
        "name": NAME,
        "image": "docker.io/library/busybox:1.35",
        "command": ["chroot", "/machine", sys.executable, "-m", "sandbox.internet", str(Live(sandbox).certificates)],
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "readinessProbe": {"tcpSocket": {"port": HTTPS_PORT}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}},
        "volumeMounts": [{"name": "machine", "mountPath": "/machine"}],
    }
    pod = {
        "containers": [container],
        "volumes": [{"name": "machine", "hostPath": {"path": "/"}}],
        "terminationGracePeriodSeconds": 1,
    }
    ports = [{"name": "https", "port": HTTPS_PORT}, {"name": "submission", "port": SUBMISSION_PORT}]
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME}},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {
                "selector": {"matchLabels": labels},
                "strategy": {"type": "Recreate"},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"clusterIP": INTERNET_SERVICE, "selector": labels, "ports": ports},
        },
    ]
