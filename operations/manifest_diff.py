"""Where the manifests of an official chart and of its stand-in for the sandbox differ, field by field."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

import yaml

Manifests = dict[str, dict[str, Any]]

# Differences that are meant, by field, with their reason.
INTENDED = {
    "*.labels.helm.sh/chart": "the stand-in says in its version that it is one",
    "*.annotations.checksum/*": "a hash of the chart's own texts; the stand-in has one of the same values",
}
# What the API server fills in where a manifest leaves it out: stand-ins do, official charts write some of them.
_DEFAULTS: dict[str, Any] = {
    "dnsPolicy": "ClusterFirst",
    "enableServiceLinks": True,
    "failureThreshold": 3,
    "hostIPC": False,
    "hostNetwork": False,
    "imagePullPolicy": "IfNotPresent",
    "initialDelaySeconds": 0,
    "minReadySeconds": 0,
    "periodSeconds": 10,
    "podManagementPolicy": "OrderedReady",
    "protocol": "TCP",
    "revisionHistoryLimit": 10,
    "scheme": "HTTP",
    "shareProcessNamespace": False,
    "strategy": {"type": "RollingUpdate"},
    "successThreshold": 1,
    "timeoutSeconds": 1,
    "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
}
# The same where an object needs it and a part of one does not: by the field that the part is in.
_DEFAULTS_IN: dict[str, dict[str, Any]] = {
    "fieldRef": {"apiVersion": "v1"},
    "volumeClaimTemplates": {"apiVersion": "v1", "kind": "PersistentVolumeClaim"},
}


@dataclass(frozen=True)
class Difference:
    """One field of one object in which the two charts differ; none where only one of them has the object."""

    object: str
    field: str
    official: Any
    stand_in: Any

    def __str__(self) -> str:
        if not self.field:
            return f"{self.object}: only the {'official chart' if self.official else 'stand-in'} has it"
        values = f"{json.dumps(self.official)}, in the stand-in {json.dumps(self.stand_in)}"
        return f"{self.object}: {self.field} is {values}"


def read(text: str) -> Manifests:
    """Return the objects that `helm template` printed, by kind, namespace, name and API version."""
    manifests = {}
    for document in yaml.safe_load_all(text):
        if document:
            metadata = document["metadata"]
            name = "/".join(part for part in (metadata.get("namespace"), metadata["name"]) if part)
            manifests[f"{document['kind']} {name} ({document['apiVersion']})"] = document
    return manifests


def differences(official: Manifests, stand_in: Manifests) -> list[Difference]:
    """Return what differs and is not intended; an object that only one of them has is one difference."""
    return [
        Difference(name, field, *values)
        for name in sorted({*official, *stand_in})
        for field, *values in fields(official.get(name), stand_in.get(name))
        if not any(fnmatch(field, pattern) for pattern in INTENDED)
    ]


def fields(one: Any, other: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield each field in which two objects differ for the API server, with its two values."""
    yield from _compare(_normal(one), _normal(other), "")


def _compare(official: Any, stand_in: Any, field: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(official, dict) and isinstance(stand_in, dict):
        for key in sorted({*official, *stand_in}):
            yield from _compare(official.get(key), stand_in.get(key), f"{field}.{key}" if field else key)
    elif official != stand_in:
        yield field, official, stand_in


def _normal(value: Any, field: str = "") -> Any:
    """Return a part of a manifest with one spelling for what means the same to the API server."""
    if isinstance(value, dict):
        defaults = {**_DEFAULTS, **_DEFAULTS_IN.get(field, {})}
        normal = {key: _normal(inner, key) for key, inner in value.items() if inner != defaults.get(key)}
        return {key: inner for key, inner in normal.items() if inner not in (None, "", [], {})}
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        return value
    if all("verbs" in item for item in value):
        return sorted({permission for item in value for permission in _permissions(item)})
    for key in ("mountPath", "name"):
        if len({item.get(key) for item in value} - {None}) == len(value):
            return {item[key]: _normal(item, field) for item in value}
    return [_normal(item, field) for item in value]


def _permissions(rule: dict[str, Any]) -> list[str]:
    """Return each permission of a rule of a Role, so that it does not matter how rules are grouped."""
    targets = [f"{group}/{resource}" for group in rule.get("apiGroups", []) for resource in rule.get("resources", [])]
    return [f"{verb} {target}" for verb in rule["verbs"] for target in (*targets, *rule.get("nonResourceURLs", []))]
