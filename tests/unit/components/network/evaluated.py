"""What NetworkPolicies allow, as Kubernetes evaluates them: https://kubernetes.io/docs/concepts/services-networking/network-policies/."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

OTHER_WAY = {"Ingress": "from", "Egress": "to"}


@dataclass(frozen=True)
class End:
    """One end of a connection: a pod with its namespace and labels, or an address outside."""

    namespace: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    address: str | None = None


def allowed(policies: Iterable[Mapping[str, Any]], source: End, target: End, port: int, protocol: str = "TCP") -> bool:
    """Return whether a connection is allowed: one end lets it out, and the other one lets it in."""
    policies = list(policies)
    return _passes(policies, "Egress", source, target, port, protocol) and _passes(
        policies, "Ingress", target, source, port, protocol
    )


def _passes(policies: list[Mapping[str, Any]], direction: str, pod: End, other: End, port: int, protocol: str) -> bool:
    """Return whether what selects a pod allows it; what nothing selects may do all."""
    specs = [
        policy["spec"]
        for policy in policies
        if policy["metadata"]["namespace"] == pod.namespace
        and direction in policy["spec"]["policyTypes"]
        and _selects(policy["spec"]["podSelector"], pod.labels)
    ]
    rules = [rule for spec in specs for rule in spec.get(direction.lower(), [])]
    return not specs or any(_fits(rule, OTHER_WAY[direction], other, port, protocol) for rule in rules)


def _fits(rule: Mapping[str, Any], way: str, other: End, port: int, protocol: str) -> bool:
    ports, peers = rule.get("ports"), rule.get(way)
    at_port = ports is None or any(one["port"] == port and one["protocol"] == protocol for one in ports)
    return at_port and (peers is None or any(_is(peer, other) for peer in peers))


def _is(peer: Mapping[str, Any], other: End) -> bool:
    if block := peer.get("ipBlock"):
        return other.address is not None and ip_address(other.address) in ip_network(block["cidr"])
    if other.namespace is None:
        return False
    names = {"kubernetes.io/metadata.name": other.namespace}
    return _selects(peer["namespaceSelector"], names) and _selects(peer.get("podSelector", {}), other.labels)


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    for one in selector.get("matchExpressions", []):
        assert one["operator"] == "NotIn"
        if labels.get(one["key"]) in one["values"]:
            return False
    return bool(selector.get("matchLabels", {}).items() <= labels.items())
