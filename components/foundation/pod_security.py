"""Security contexts for the pods that we write: they meet the level `restricted` of Kubernetes' Pod Security.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from typing import Any

SECCOMP: dict[str, Any] = {"seccompProfile": {"type": "RuntimeDefault"}}
UNPRIVILEGED: dict[str, Any] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
RESTRICTED = {**UNPRIVILEGED, "readOnlyRootFilesystem": True}
NON_ROOT = {"runAsNonRoot": True, **SECCOMP}
AS_NOBODY = {**NON_ROOT, "runAsUser": 65534, "runAsGroup": 65534, "fsGroup": 65534}
# Elastic's operator sets seccomp and the group of volumes itself, but only where a pod has no securityContext of ours.
AS_ELASTIC = {**NON_ROOT, "runAsUser": 1000, "fsGroup": 1000}
