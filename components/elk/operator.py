"""Elastic's operator (ECK), which turns custom resources into Elasticsearch, Kibana, Logstash and Beats (D-082)."""

from dataclasses import dataclass

import pulumi

from ..site import Site


@dataclass(frozen=True)
class ElasticOperatorArgs:
    """What the operator is told.

    Args:
        site: where it runs; it acts on custom resources here
        nodes: and here.
        webhook: whether it checks custom resources before they are stored.
    """

    site: Site
    nodes: Site
    webhook: bool


class ElasticOperator(pulumi.ComponentResource):
    """The custom resource definitions, then the operator."""

    def __init__(self, name: str, args: ElasticOperatorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:ElasticOperator", name, {}, opts)
        crds = args.site.charts.release(
            "elastic-operator-crds", "eck-operator-crds", args.site.namespace, {}, pulumi.ResourceOptions(parent=self)
        )
        args.site.charts.release(
            "elastic-operator",
            "eck-operator",
            args.site.namespace,
            {
                "installCRDs": False,
                "managedNamespaces": [args.site.namespace, args.nodes.namespace],
                "webhook": {"enabled": args.webhook},
                "telemetry": {"disabled": True},
                "config": {"metrics": {"port": "8080"}},
                # The chart asks for a user that is not root, and which one its image has is not public. Any will do.
                "podSecurityContext": {"runAsUser": 1001, "seccompProfile": {"type": "RuntimeDefault"}},
            },
            pulumi.ResourceOptions(parent=self, depends_on=[crds]),
        )
        self.register_outputs({})
