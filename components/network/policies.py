"""NetworkPolicies: one for each part, made of its arrows, and one for each namespace that refuses all else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes import networking

from ..foundation.metadata import metadata
from ..foundation.names import AGENTS, MONITORING
from ..settings.foundation import ExposureSettings
from ..settings.network import NetworkSettings
from .arrows import Arrow
from .parts import PROMETHEUS, Part, Place

_NAMESPACE = "kubernetes.io/metadata.name"
# Subnets of a VPC, and networks of nodes, as RFC 1918, 6598 and 4193 have them: load balancers and nodes are there.
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
# Each peer of a rule; None where it is everybody.
Peers = list[dict[str, Any]] | None


@dataclass(frozen=True, kw_only=True)
class NetworkPoliciesArgs:
    """The arguments of NetworkPolicies.

    Args:
        arrows: what is allowed.
        settings: the addresses of what is outside the cluster's pods.
        exposure: whom load balancers admit.
        application_namespace: of MangakAI.
    """

    arrows: Sequence[Arrow]
    settings: NetworkSettings
    exposure: ExposureSettings
    application_namespace: str


class NetworkPolicies(pulumi.ComponentResource):
    """The policies. What refuses comes after what allows, so that a stack that is up loses no connection."""

    def __init__(self, name: str, args: NetworkPoliciesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:NetworkPolicies", name, {}, opts)
        peers = _peers(args)
        pods = dict.fromkeys(end for arrow in args.arrows for end in (arrow.source, arrow.target))
        allowing = [self._of(part, args.arrows, peers) for part in pods if isinstance(part, Part)]
        for namespace in (MONITORING, AGENTS):
            self._policy(
                f"default-deny-{namespace}",
                "default-deny",
                namespace,
                {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
                pulumi.ResourceOptions(parent=self, depends_on=allowing),
            )
        if args.settings.application:
            self._policy(
                "application-prometheus",
                "mangakai-prometheus",
                args.application_namespace,
                {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [_pods(PROMETHEUS)]}]},
                pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})

    def _of(self, part: Part, arrows: Sequence[Arrow], peers: Mapping[Place, Peers]) -> networking.v1.NetworkPolicy:
        ingress = [_rule("from", one.source, one.ports, peers) for one in arrows if one.target is part]
        egress = [_rule("to", one.target, one.ports, peers) for one in arrows if one.source is part]
        spec = {
            "podSelector": {"matchLabels": dict(part.labels)},
            "policyTypes": ["Ingress", "Egress"],
            **({"ingress": ingress} if ingress else {}),
            **({"egress": egress} if egress else {}),
        }
        return self._policy(part.name, part.name, part.namespace, spec, pulumi.ResourceOptions(parent=self))

    def _policy(
        self, resource_name: str, name: str, namespace: str, spec: Mapping[str, Any], opts: pulumi.ResourceOptions
    ) -> networking.v1.NetworkPolicy:
        return networking.v1.NetworkPolicy(
            resource_name, metadata=metadata(name, name, namespace), spec=dict(spec), opts=opts
        )


def _rule(direction: str, end: Part | Place, ports: Sequence[int], peers: Mapping[Place, Peers]) -> dict[str, Any]:
    """Return a rule of a policy: who, at which ports; both are left out where it is all of them."""
    found = [_pods(end)] if isinstance(end, Part) else peers[end]
    protocols = ("UDP", "TCP") if end is Place.DNS else ("TCP",)
    listed = [{"protocol": protocol, "port": port} for port in ports for protocol in protocols]
    return {**({direction: found} if found else {}), **({"ports": listed} if listed else {})}


def _pods(part: Part) -> dict[str, Any]:
    return {
        "namespaceSelector": {"matchLabels": {_NAMESPACE: part.namespace}},
        "podSelector": {"matchLabels": dict(part.labels)},
    }


def _peers(args: NetworkPoliciesArgs) -> dict[Place, Peers]:
    settings, admitted = args.settings, args.exposure.admitted
    # A load balancer of AWS connects from its own address, and a node that is asked for another one's pod from its own.
    people = settings.load_balancers or (admitted and [*PRIVATE, *(one for one in admitted if one not in PRIVATE)])
    others = {"key": _NAMESPACE, "operator": "NotIn", "values": [MONITORING, AGENTS]}
    return {
        Place.PEOPLE: _blocks(people),
        Place.APPLICATION: [{"namespaceSelector": {"matchLabels": {_NAMESPACE: args.application_namespace}}}],
        Place.OTHER_NAMESPACES: [{"namespaceSelector": {"matchExpressions": [others]}}],
        Place.NODES: _blocks(settings.nodes),
        Place.API_SERVER: _blocks(settings.api_server),
        Place.OUTSIDE: _blocks(settings.outside),
        Place.DNS: None,
    }


def _blocks(networks: Sequence[str] | None) -> Peers:
    return [{"ipBlock": {"cidr": network}} for network in networks] if networks else None
