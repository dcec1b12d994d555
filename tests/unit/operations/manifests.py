"""Objects that previews compare."""

import copy
from typing import Any

MARK = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
URN = "urn:pulumi:prod::mangakai-monitoring::mangakai:monitoring:Part"


def workload(kind: str, **spec: Any) -> dict[str, Any]:
    """Return a workload of a chart."""
    container = {"name": "main", "image": "one:1", "env": [{"name": "A", "value": "1"}]}
    labels = {"helm.sh/chart": "one-1.0.0", "app.kubernetes.io/version": "1"}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "one", "namespace": "monitoring", "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "one"}},
            "template": {
                "metadata": {"labels": dict(labels), "annotations": {"checksum/config": "aaa"}},
                "spec": {"containers": [container]},
            },
            **spec,
        },
    }


def with_(manifest: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a manifest with another value at a path."""
    new = copy.deepcopy(manifest)
    *parents, last = path.split("|")
    inner: Any = new
    for key in parents:
        inner = inner[int(key)] if key.isdecimal() else inner[key]
    inner[last] = value
    return new


SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "one"}, "data": {"password": "Y2FuYXJ5"}}
