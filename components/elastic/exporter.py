"""The exporter that shows Prometheus the state of an Elasticsearch cluster, in place of Metricbeat (D-079)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes import apps

from ..foundation.metadata import metadata
from ..foundation.placement import Placement
from ..foundation.pod_security import AS_NOBODY, RESTRICTED
from .connection import ElasticsearchConnection, user_secret
from .users import METRICS

# renovate: datasource=docker depName=quay.io/prometheuscommunity/elasticsearch-exporter
IMAGE = "quay.io/prometheuscommunity/elasticsearch-exporter:v1.10.0"
_NAME = "elasticsearch-exporter"
_AUTHORITY = "/certificates"
# Every node, within Prometheus' ten seconds; of aliases nothing.
_ASKED = ["--es.all", "--es.timeout=9s", "--no-es.aliases"]


@dataclass(frozen=True, kw_only=True)
class ExporterArgs:
    """The arguments of Exporter.

    Args:
        placement: where it runs.
        elasticsearch: the cluster that it asks.
        credentials: the annotation that changes with its password.
    """

    placement: Placement
    elasticsearch: ElasticsearchConnection
    credentials: Mapping[str, pulumi.Input[str]]


class Exporter(pulumi.ComponentResource):
    """A Deployment of the Prometheus community's exporter, which asks its cluster when Prometheus asks it."""

    def __init__(self, name: str, args: ExporterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:ElasticsearchExporter", name, {}, opts)
        labels = {"app.kubernetes.io/name": _NAME, "app.kubernetes.io/instance": args.elasticsearch.cluster}
        apps.v1.Deployment(
            name,
            metadata=metadata(name, args.elasticsearch.cluster, args.placement.namespace),
            spec={
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels, "annotations": args.credentials},
                    "spec": {**_pod(args.elasticsearch), **args.placement.priority},
                },
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


def _pod(connection: ElasticsearchConnection) -> dict[str, Any]:
    login = user_secret(connection.cluster, METRICS)
    authority = {"secretName": connection.ca_secret, "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    return {
        "automountServiceAccountToken": False,
        "securityContext": AS_NOBODY,
        "containers": [
            {
                "name": _NAME,
                "image": IMAGE,
                "args": [f"--es.uri={connection.url}", f"--es.ca={_AUTHORITY}/ca.crt", *_ASKED],
                "env": [
                    {"name": f"ES_{key.upper()}", "valueFrom": {"secretKeyRef": {"name": login, "key": key}}}
                    for key in ("username", "password")
                ],
                "ports": [{"name": "metrics", "containerPort": 9114}],
                "readinessProbe": {"httpGet": {"path": "/healthz", "port": "metrics"}},
                "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
                "securityContext": RESTRICTED,
                "volumeMounts": [{"name": "authority", "mountPath": _AUTHORITY, "readOnly": True}],
            }
        ],
        "volumes": [{"name": "authority", "secret": authority}],
    }
