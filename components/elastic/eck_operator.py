"""Elastic's operator (ECK), which turns custom resources into Elasticsearch, Kibana, Logstash and Beats (D-082)."""

from dataclasses import dataclass

import pulumi

from ..foundation import rights
from ..foundation.names import ELASTIC_OPERATOR_RIGHTS
from ..foundation.placement import Placement
from ..foundation.pod_security import SECCOMP

# Ten years: Jaeger, Grafana and the exporters read the authority once, when they start. What it signs is renewed each
# year, and Elasticsearch takes it as it runs.
_AUTHORITY_VALIDITY = "87600h"


@dataclass(frozen=True, kw_only=True)
class ElasticOperatorArgs:
    """The arguments of ElasticOperator.

    Args:
        placement: where it runs; it acts on custom resources here
        agents: and here.
        webhook: whether it checks custom resources before they are stored. The chart then gives it the Secrets and
            workloads of the whole cluster; without, those of the two namespaces.
    """

    placement: Placement
    agents: Placement
    webhook: bool


class ElasticOperator(pulumi.ComponentResource):
    """The custom resource definitions, then the operator."""

    def __init__(self, name: str, args: ElasticOperatorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:ElasticOperator", name, {}, opts)
        crds = args.placement.charts.release(
            "elastic-operator-crds",
            "eck-operator-crds",
            args.placement.namespace,
            {},
            pulumi.ResourceOptions(parent=self),
        )
        # It gives nodes the zones of the machines that they run on.
        of_operator = rights.Rights(
            component="elastic-operator",
            account="elastic-operator",
            namespace=args.placement.namespace,
            rules=[{"apiGroups": [""], "resources": ["nodes"], "verbs": rights.READ}],
        )
        granted = rights.in_cluster(ELASTIC_OPERATOR_RIGHTS, of_operator, self)
        args.placement.charts.release(
            "elastic-operator",
            "eck-operator",
            args.placement.namespace,
            {
                "installCRDs": False,
                **args.placement.priority,
                "managedNamespaces": [args.placement.namespace, args.agents.namespace],
                "createClusterScopedResources": args.webhook,
                "webhook": {"enabled": args.webhook},
                "telemetry": {"disabled": True},
                "config": {
                    "metrics": {"port": "8080"},
                    "validateStorageClass": args.webhook,
                    "caValidity": _AUTHORITY_VALIDITY,
                },
                # The chart asks for a user that is not root, and which one its image has is not public. Any will do.
                "podSecurityContext": {"runAsUser": 1001, **SECCOMP},
            },
            pulumi.ResourceOptions(parent=self, depends_on=[crds, *granted]),
        )
        self.register_outputs({})
