"""Replicas on different nodes and in different zones, where there are such, and never more than one away."""

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi_kubernetes import policy

from .metadata import metadata

_APART = {"kubernetes.io/hostname": 100, "topology.kubernetes.io/zone": 50}
# A pod that is not ready may always be evicted: one that crashes would keep its node from being drained for ever.
ONE_AT_A_TIME: dict[str, Any] = {"maxUnavailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow"}


def apart(labels: Mapping[str, str]) -> dict[str, Any]:
    """Return the `affinity` of pods that keep away from each other, where there is room.

    Args:
        labels: of all of them, and of no other.
    """
    return {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": weight,
                    "podAffinityTerm": {"topologyKey": key, "labelSelector": {"matchLabels": dict(labels)}},
                }
                for key, weight in _APART.items()
            ]
        }
    }


def disruption_budget(
    name: str, component: str, namespace: str, labels: Mapping[str, str], opts: pulumi.ResourceOptions
) -> policy.v1.PodDisruptionBudget:
    """Return the budget of replicas of which a drain of nodes takes one after the other.

    Args:
        name: of the budget.
        component: the part of the system.
        namespace: of the pods.
        labels: of all of them, and of no other.
        opts: with the parent.
    """
    return policy.v1.PodDisruptionBudget(
        name,
        metadata=metadata(name, component, namespace),
        spec={**ONE_AT_A_TIME, "selector": {"matchLabels": dict(labels)}},
        opts=opts,
    )
