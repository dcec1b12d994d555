"""A Job that sets up lifecycle, mappings and first index in Elasticsearch, data view and dashboard in Kibana."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
from pulumi_kubernetes import core

from ..elastic.connection import ElasticsearchConnection, ca_secret
from ..foundation.metadata import metadata
from ..foundation.names import KIBANA_SPACE
from ..foundation.placement import Placement
from ..foundation.pod_security import AS_NOBODY, RESTRICTED
from ..foundation.set_up_job import IMAGE, set_up_job
from .kibana import CA_SECRET as KIBANA_CA_SECRET
from .kibana import url as kibana_url

NAME = "log-index"

_INDEX = Path(__file__).parent / "index"
_SAVED_OBJECTS = Path(__file__).parent.parent.parent / "dashboards" / "kibana"
_FILES, _CERTIFICATES = "/set-up", "/certificates"


@dataclass(frozen=True, kw_only=True)
class LogIndexArgs:
    """The arguments of LogIndex.

    Args:
        placement: where it runs.
        elasticsearch: the one that holds the logs.
        retention_days: after how many days logs are deleted.
    """

    placement: Placement
    elasticsearch: ElasticsearchConnection
    retention_days: int


class LogIndex(pulumi.ComponentResource):
    """The ConfigMap with the module and its files, and a Job that runs it: another one each time that they change."""

    def __init__(self, name: str, args: LogIndexArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:LogIndex", name, {}, opts)
        data = files()
        config = core.v1.ConfigMap(
            NAME,
            metadata=metadata(NAME, NAME, args.placement.namespace),
            data=data,
            opts=pulumi.ResourceOptions(parent=self),
        )
        container = _container(args)
        version = hashlib.sha256(json.dumps([data, container]).encode()).hexdigest()[:8]
        pod = {
            "automountServiceAccountToken": False,
            "securityContext": AS_NOBODY,
            "containers": [container],
            "volumes": _volumes(args.elasticsearch),
        }
        set_up_job(
            NAME,
            f"{NAME}-{version}",
            NAME,
            args.placement.namespace,
            pod,
            args.placement.charts.timeout_seconds,
            pulumi.ResourceOptions(parent=self, depends_on=[config]),
        )
        self.register_outputs({})


def files() -> dict[str, str]:
    """Return the module and what it reads, by file name."""
    paths = [_INDEX / "set_up.py", *_INDEX.glob("*.json"), *_SAVED_OBJECTS.glob("*.ndjson")]
    return {path.name: path.read_text() for path in sorted(paths)}


def _container(args: LogIndexArgs) -> dict[str, Any]:
    environment: dict[str, Any] = {
        "ELASTICSEARCH_URL": args.elasticsearch.url,
        "KIBANA_URL": kibana_url(args.placement.namespace),
        "ELASTIC_USERNAME": "elastic",
        "CA_FILE": _CERTIFICATES,
        "KIBANA_SPACE": KIBANA_SPACE,
        "RETENTION_DAYS": str(args.retention_days),
        "REPLICAS": str(min(1, args.elasticsearch.nodes - 1)),
    }
    password = {"secretKeyRef": {"name": f"{args.elasticsearch.cluster}-es-elastic-user", "key": "elastic"}}
    return {
        "name": NAME,
        "image": IMAGE,
        "command": ["python", f"{_FILES}/set_up.py"],
        "env": [
            *({"name": key, "value": value} for key, value in environment.items()),
            {"name": "ELASTIC_PASSWORD", "valueFrom": password},
        ],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": RESTRICTED,
        "volumeMounts": [
            {"name": "files", "mountPath": _FILES, "readOnly": True},
            {"name": "certificates", "mountPath": _CERTIFICATES, "readOnly": True},
        ],
    }


def _volumes(connection: ElasticsearchConnection) -> list[dict[str, Any]]:
    authorities = {"elasticsearch.crt": ca_secret(connection.cluster), "kibana.crt": KIBANA_CA_SECRET}
    sources = [
        {"secret": {"name": secret, "items": [{"key": "ca.crt", "path": path}]}} for path, secret in authorities.items()
    ]
    return [
        {"name": "files", "configMap": {"name": NAME}},
        {"name": "certificates", "projected": {"sources": sources}},
    ]
