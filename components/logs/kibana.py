"""Kibana, in front of the logs (D-105)."""

from dataclasses import dataclass

import pulumi

from ..elastic.connection import ElasticsearchConnection
from ..foundation.placement import Placement
from ..foundation.pod_security import AS_ELASTIC
from ..foundation.scheduling import apart, disruption_budget
from ..foundation.web_interfaces import KIBANA
from ..settings.logs import KibanaSettings

PORT = KIBANA.port
CA_SECRET = "kibana-kb-http-certs-public"


@dataclass(frozen=True, kw_only=True)
class KibanaArgs:
    """The arguments of Kibana.

    Args:
        placement: where it runs.
        settings: its size.
        elasticsearch: the one that it shows.
        url: where people open it.
    """

    placement: Placement
    settings: KibanaSettings
    elasticsearch: ElasticsearchConnection
    url: pulumi.Input[str]


def url(namespace: str) -> str:
    """Return the address for programs in the cluster, as Kibana's certificate has it."""
    return f"https://kibana-kb-http.{namespace}.svc:{PORT}"


class Kibana(pulumi.ComponentResource):
    """The Release with the custom resource. People log in as `monitoring`; `elastic` is for emergencies."""

    def __init__(self, name: str, args: KibanaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:Kibana", name, {}, opts)
        args.placement.charts.release(
            "kibana",
            "eck-kibana",
            args.placement.namespace,
            {
                "fullnameOverride": "kibana",
                "version": args.elasticsearch.version,
                "count": args.settings.replicas,
                "elasticsearchRef": {"name": args.elasticsearch.cluster},
                "config": {"server.publicBaseUrl": args.url, "telemetry.enabled": False},
                "podTemplate": {
                    "spec": {
                        # The operator restricts the containers; that none is root it leaves to the pod.
                        **args.placement.priority,
                        "securityContext": AS_ELASTIC,
                        "affinity": apart(KIBANA.selector),
                        "containers": [{"name": "kibana", "resources": args.settings.resources.manifest()}],
                    }
                },
            },
            pulumi.ResourceOptions(parent=self),
        )
        if args.settings.replicas > 1:
            own = pulumi.ResourceOptions(parent=self)
            disruption_budget("kibana", "kibana", args.placement.namespace, KIBANA.selector, own)
        self.register_outputs({})
