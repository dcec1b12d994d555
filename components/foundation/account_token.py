"""The token of a pod's ServiceAccount for those of its containers that ask the API server.

By itself Kubernetes mounts it into each container of a pod, also into one that people log in to.
"""

from typing import Any

_NAME = "api-access"
# What Kubernetes itself mounts, and where programs look for it.
# Source: https://kubernetes.io/docs/concepts/storage/projected-volumes/#serviceaccounttoken
VOLUME: dict[str, Any] = {
    "name": _NAME,
    "projected": {
        "sources": [
            {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
        ]
    },
}
MOUNT: dict[str, Any] = {
    "name": _NAME,
    "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
    "readOnly": True,
}
