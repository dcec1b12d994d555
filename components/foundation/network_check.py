"""Who enforces NetworkPolicies on the cluster: an API server takes them also where nobody does."""

from collections.abc import Iterator, Mapping
from typing import Any

import pulumi
from kubernetes import client as api

from ..settings import Settings
from .cluster_reader import NotAllowedError, read
from .ownership import PART_OF

_DAEMON_SETS = "/apis/apps/v1/daemonsets"
# By the DaemonSet that runs it on each node. That of kind does since kind 0.24.
_ENFORCING = {
    "calico-node": "Calico",
    "cilium": "Cilium",
    "kindnet": "kindnet",
    "kube-router": "kube-router",
}
# Of the VPC CNI: https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy-configure.html, and of EKS Auto
# Mode, which has no DaemonSet: https://docs.aws.amazon.com/eks/latest/userguide/auto-net-pol.html
_VPC_CNI, _VPC_CNI_FLAG = "aws-node", "--enable-network-policy=true"
_VPC_CNI_SETTINGS = "/api/v1/namespaces/kube-system/configmaps/amazon-vpc-cni"


def tell_enforcer(settings: Settings, client: api.ApiClient) -> None:
    """Say who enforces the policies of this stack, and warn that nobody does, if so.

    Raises:
        HTTPError: the cluster does not answer, or not to this user.
    """
    if not settings.network.policies:
        return
    try:
        found = enforcer(client)
    except NotAllowedError as error:
        pulumi.log.warn(f"whether anything enforces NetworkPolicies cannot be told: {error}")
        return
    if found:
        pulumi.log.info(f"{found} enforces the NetworkPolicies")
        return
    pulumi.log.warn(
        "nothing that is known enforces NetworkPolicies on this cluster (not the VPC CNI with policies on, not Calico, "
        "not Cilium): each pod of it reaches each port of the monitoring. docs/network.md says what to turn on"
    )


def enforcer(client: api.ApiClient) -> str | None:
    """Return what enforces NetworkPolicies, None where nothing is known to.

    Raises:
        NotAllowedError: this user may not read DaemonSets or a ConfigMap of kube-system.
        HTTPError: the cluster does not answer, or not to this user.
    """
    listed = {item["metadata"]["name"]: item for item in (read(client, _DAEMON_SETS) or {"items": []})["items"]}
    known = next((program for name, program in _ENFORCING.items() if name in listed), None)
    if known:
        return known
    if _VPC_CNI in listed:
        # The ConfigMap beside it makes the controller look for policies; it is the flag that has them enforced.
        return "the VPC CNI" if _VPC_CNI_FLAG in _arguments(listed[_VPC_CNI]) else None
    configured = (read(client, _VPC_CNI_SETTINGS) or {}).get("data") or {}
    return "the VPC CNI" if configured.get("enable-network-policy-controller") == "true" else None


def _arguments(daemon_set: Mapping[str, Any]) -> Iterator[str]:
    containers = daemon_set["spec"]["template"]["spec"]["containers"]
    return (argument for container in containers for argument in container.get("args") or [])


def cut_off(settings: Settings, client: api.ApiClient) -> list[str]:
    """Return a line where the policy for the application would be the only one there: its pods would take nothing else.

    Raises:
        HTTPError: the cluster does not answer, or not to this user.
    """
    if not settings.network.application:
        return []
    namespace = settings.application.namespace
    try:
        listed = read(client, f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies") or {"items": []}
    except NotAllowedError as error:
        pulumi.log.warn(f"whether the application has NetworkPolicies of its own cannot be told: {error}")
        return []
    if any(not PART_OF.items() <= (item["metadata"].get("labels") or {}).items() for item in listed["items"]):
        return []
    return [
        f"network.application: there is no NetworkPolicy in {namespace!r}, so that all may connect, Prometheus too. "
        "This would be the first one, and its pods would take connections from Prometheus alone: remove the setting, "
        "or make the application's own policies first (docs/network.md)"
    ]
