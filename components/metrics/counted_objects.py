"""Which kinds of objects kube-state-metrics lists: those of which a rule or a panel reads something.

Whatever it lists it may read, and in full: of a Secret also what is in it.
"""

import re
from collections.abc import Iterable

from ..grafana.grafana import dashboards
from .rule_files import RULES

# What its version can list, but for kinds of which it tells only labels and who made them.
# Source: https://github.com/kubernetes/kube-state-metrics/tree/main/docs/metrics
_KINDS = (
    "certificatesigningrequests",
    "configmaps",
    "cronjobs",
    "daemonsets",
    "deployments",
    "endpointslices",
    "horizontalpodautoscalers",
    "ingresses",
    "jobs",
    "leases",
    "limitranges",
    "namespaces",
    "networkpolicies",
    "nodes",
    "persistentvolumeclaims",
    "persistentvolumes",
    "poddisruptionbudgets",
    "pods",
    "replicasets",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
    "statefulsets",
    "storageclasses",
    "volumeattachments",
)
_METRIC = re.compile(r"\bkube_([a-z]+)_[a-z_]+")


def counted_objects() -> list[str]:
    """Return the kinds, as kube-state-metrics calls them, of which `rules/` and `dashboards/` read a metric."""
    return read_by([*(file.read_text() for file in RULES.glob("*.yml")), *dashboards().values()])


def read_by(texts: Iterable[str]) -> list[str]:
    """Return the kinds of which these texts, with PromQL in them, name a metric: `kube_pod_info` is one of pods."""
    named = {name for text in texts for name in _METRIC.findall(text)}
    return [kind for kind in _KINDS if any(kind in (f"{name}s", f"{name}es", f"{name[:-1]}ies") for name in named)]
