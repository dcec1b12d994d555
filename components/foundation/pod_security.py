"""Security contexts for the pods that we write."""

RESTRICTED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
NON_ROOT = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
AS_NOBODY = {**NON_ROOT, "runAsUser": 65534, "runAsGroup": 65534, "fsGroup": 65534}
