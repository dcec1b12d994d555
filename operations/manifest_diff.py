"""The differences of two manifests of an object that matter to the API server and the kubelet, field by field.

Everything counts. What the API server stores in one form however it is written is no difference: a default that is
written or left out, a null, a quantity. So is how rules of a Role are grouped, of which only the sum counts.
"""

import re
from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import yaml

from components.settings.types import to_bytes

Manifests = dict[str, dict[str, Any]]

_CONTAINER = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
_PROBE = {
    "failureThreshold": 3,
    "initialDelaySeconds": 0,
    "periodSeconds": 10,
    "successThreshold": 1,
    "timeoutSeconds": 1,
}
_WEBHOOK = {
    "failurePolicy": "Fail",
    "matchPolicy": "Equivalent",
    "namespaceSelector": {},
    "objectSelector": {},
    "reinvocationPolicy": "Never",
    "timeoutSeconds": 10,
}
# What the API server fills in for Kubernetes' own kinds, and what it leaves out, by the field that holds it, with the
# one before that where more than one is called so. Recorded of a real one in tests/unit/operations/api_server.yaml: for
# pod templates that is less than what it fills into pods.
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "Service.spec": {"internalTrafficPolicy": "Cluster", "sessionAffinity": "None", "type": "ClusterIP"},
    "DaemonSet.spec": {"minReadySeconds": 0, "revisionHistoryLimit": 10, "updateStrategy": {}},
    "Deployment.spec": {
        "minReadySeconds": 0,
        "progressDeadlineSeconds": 600,
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "strategy": {},
    },
    "StatefulSet.spec": {
        "minReadySeconds": 0,
        "persistentVolumeClaimRetentionPolicy": {},
        "podManagementPolicy": "OrderedReady",
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "updateStrategy": {},
    },
    "strategy": {"rollingUpdate": {}, "type": "RollingUpdate"},
    "strategy.rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
    "updateStrategy": {"rollingUpdate": {}, "type": "RollingUpdate"},
    "updateStrategy.rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1, "partition": 0},
    "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
    "volumeClaimTemplates": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "status": {"phase": "Pending"}},
    "volumeClaimTemplates.spec": {"volumeMode": "Filesystem"},
    "metadata": {"annotations": {}, "labels": {}},
    "template.spec": {
        "dnsPolicy": "ClusterFirst",
        "hostIPC": False,
        "hostNetwork": False,
        "hostPID": False,
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "terminationGracePeriodSeconds": 30,
    },
    "containers": _CONTAINER,
    "initContainers": _CONTAINER,
    "livenessProbe": _PROBE,
    "readinessProbe": _PROBE,
    "startupProbe": _PROBE,
    "httpGet": {"path": "/", "scheme": "HTTP"},
    "ports": {"protocol": "TCP"},
    "env": {"value": ""},
    "fieldRef": {"apiVersion": "v1"},
    "volumeMounts": {"readOnly": False, "subPath": "", "subPathExpr": ""},
    "volumes.configMap": {"defaultMode": 0o644},
    "volumes.projected": {"defaultMode": 0o644},
    "volumes.secret": {"defaultMode": 0o644},
    "volumes.hostPath": {"type": ""},
    "serviceAccountToken": {"expirationSeconds": 3600},
    "webhooks": _WEBHOOK,
    "webhooks.rules": {"scope": "*"},
    "clientConfig.service": {"port": 443},
}
_RULES = (("ClusterRole", "rules"), ("Role", "rules"))
_QUANTITY = re.compile(r".*\.(limits|requests)\.[^/]+")


def read(text: str) -> Manifests:
    """Return the objects that `helm template` printed, by kind, namespace, name and API version."""
    manifests = {}
    for document in yaml.safe_load_all(text):
        if document:
            metadata = document["metadata"]
            name = "/".join(part for part in (metadata.get("namespace"), metadata["name"]) if part)
            manifests[f"{document['kind']} {name} ({document['apiVersion']})"] = document
    return manifests


def fields(one: Any, other: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield each field in which two objects differ for the API server, with its two values, None where it has none.

    An item of a list is named by its own name or its mountPath, and a list whose items have neither is one value. Named
    items in another order are a difference of the list, in these names.
    """
    yield from _compare(_object(one), _object(other), (one, other), "")


def _compare(one: Any, other: Any, written: tuple[Any, Any], field: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield how two normal forms differ; `written` is what they were made of."""
    if isinstance(one, dict) and isinstance(other, dict):
        first, second = (each if isinstance(each, dict) else {} for each in written)
        for key in sorted({*one, *other}):
            path = f"{field}.{key}" if field else key
            yield from _compare(one.get(key), other.get(key), (first.get(key), second.get(key)), path)
    elif key := _name_of(one, other):
        first, second = _by_name(one, key), _by_name(other, key)
        yield from _compare(first, second, (_by_name(written[0], key), _by_name(written[1], key)), field)
        before, after = [name for name in first if name in second], [name for name in second if name in first]
        if before != after:
            yield field, before, after
    elif one != other and not (_QUANTITY.fullmatch(field) and _amount(one) == _amount(other)):
        yield field, _shown(one, written[0]), _shown(other, written[1])


def _shown(normal: Any, written: Any) -> Any:
    """Return a value as it differs; a default, which has no normal form, as it is written."""
    return written if normal is None and not isinstance(written, dict | list) else normal


def _name_of(one: Any, other: Any) -> str:
    """Return the key that names each item of two lists of objects; "" where none does."""
    if not (isinstance(one, list) and isinstance(other, list)):
        return ""
    if not all(isinstance(item, dict) for item in (*one, *other)):
        return ""
    for key in ("mountPath", "name"):
        if all(len({item.get(key) for item in items} - {None}) == len(items) for items in (one, other)):
            return key
    return ""


def _by_name(items: Any, key: str) -> dict[str, Any]:
    return {item[key]: item for item in items or [] if isinstance(item, dict) and key in item}


def _amount(quantity: Any) -> Hashable:
    """Return what a quantity means: "0.5" and "500m" are one."""
    try:
        return to_bytes(str(quantity))
    except ValueError:
        return str(quantity)


def _object(manifest: Any) -> Any:
    """Return an object with one form for what means the same to the API server; other things as they are."""
    if not isinstance(manifest, dict):
        return manifest
    group = str(manifest.get("apiVersion", "")).rpartition("/")[0]
    # Of a custom resource the API server knows no default, and keeps what is empty.
    is_builtin = "." not in group or group.endswith(".k8s.io")
    return _normal(manifest, (str(manifest.get("kind")),), is_builtin)


def _normal(value: Any, path: tuple[str, ...], is_builtin: bool) -> Any:
    if isinstance(value, list):
        if path in _RULES:
            return sorted({permission for rule in value for permission in _permissions(rule)})
        return [_normal(item, path, is_builtin) for item in value]
    if not isinstance(value, dict):
        return value
    normal = {key: _normal(inner, (*path, key), is_builtin) for key, inner in value.items() if inner is not None}
    if not is_builtin:
        return normal
    defaults = _defaults(path, value)
    return {key: inner for key, inner in normal.items() if inner != [] and inner != defaults.get(key)}


def _defaults(path: tuple[str, ...], value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the API server fills into `value`, which lies at `path`."""
    defaults = _DEFAULTS.get(".".join(path[-2:]), _DEFAULTS.get(path[-1], {}))
    if path[-1] not in ("containers", "initContainers"):
        return defaults
    tag = str(value.get("image", "")).rpartition("/")[2].partition(":")[2]
    return {**defaults, "imagePullPolicy": "Always" if tag in ("", "latest") else "IfNotPresent"}


def _permissions(rule: Mapping[str, Any]) -> Iterator[str]:
    """Yield each permission of a rule of a Role, so that it does not matter how rules are grouped."""
    names = rule.get("resourceNames") or [""]
    targets = [
        f"{group}/{resource}" + (f" called {name}" if name else "")
        for group in rule.get("apiGroups") or []
        for resource in rule.get("resources") or []
        for name in names
    ]
    for verb in rule["verbs"]:
        for target in (*targets, *(rule.get("nonResourceURLs") or [])):
            yield f"{verb} {target}"
