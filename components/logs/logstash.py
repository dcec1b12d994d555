"""Logstash: takes lines from Filebeat, makes fields of them, writes them to Elasticsearch, and reports the errors."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi_kubernetes import core

from ..elastic.connection import ElasticsearchConnection, user_secret
from ..foundation.certificate import derived
from ..foundation.metadata import metadata
from ..foundation.names import WEB_AUTH, WEB_USER
from ..foundation.placement import Placement
from ..foundation.pod_security import AS_ELASTIC, RESTRICTED, UNPRIVILEGED
from ..foundation.scheduling import apart, disruption_budget
from ..settings.logs import LogstashSettings
from ..settings.types import to_bytes

BEATS_PORT = 5044
PIPELINES_SECRET = "logstash-pipelines"  # ECK reads pipelines from Secrets only
_CERTIFICATE, _CERTIFICATES = "logstash-certificate", "/usr/share/logstash/config/certificates"

_PODS = {"common.k8s.elastic.co/type": "logstash", "logstash.k8s.elastic.co/name": "logstash"}
_PIPELINES = Path(__file__).parent / "pipelines"
_MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class LogstashArgs:
    """The arguments of Logstash.

    Args:
        placement: where it runs.
        settings: its size.
        elasticsearch: the one that it writes to.
        transport_seed: the secret from which its certificate comes, as Filebeat's does.
        alertmanager: where it reports errors.
        credentials: the annotation that changes with its passwords, and with the seed.
    """

    placement: Placement
    settings: LogstashSettings
    elasticsearch: ElasticsearchConnection
    transport_seed: pulumi.Input[str]
    alertmanager: "AlertmanagerConnection"
    credentials: Mapping[str, pulumi.Input[str]]


@dataclass(frozen=True)
class AlertmanagerConnection:
    """The Alertmanager that mails about errors.

    Args:
        url: for programs in the cluster.
        authentication: whether it asks for a password.
        cluster: the label `cluster` of alerts, as Prometheus sets it.
    """

    url: str
    authentication: bool
    cluster: str


class Logstash(pulumi.ComponentResource):
    """The Secret with the pipelines, and the Release with the custom resource. `beats_address` is for Filebeat."""

    beats_address: str

    def __init__(self, name: str, args: LogstashArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:Logstash", name, {}, opts)
        pipelines = core.v1.Secret(
            PIPELINES_SECRET,
            metadata=metadata(PIPELINES_SECRET, "logstash", args.placement.namespace),
            string_data={"pipelines.yml": pipelines_yml(args.settings.storage)},
            opts=pulumi.ResourceOptions(parent=self),
        )
        host = beats(args.placement.namespace).partition(":")[0]
        certificate = core.v1.Secret(
            _CERTIFICATE,
            metadata=metadata(_CERTIFICATE, "logstash", args.placement.namespace),
            string_data=pulumi.Output.from_input(args.transport_seed).apply(lambda seed: derived(seed, host)),
            opts=pulumi.ResourceOptions(parent=self),
        )
        volume = {
            "metadata": {"name": "logstash-data"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": args.placement.storage_class,
                "resources": {"requests": {"storage": args.settings.storage}},
            },
        }
        args.placement.charts.release(
            "logstash",
            "eck-logstash",
            args.placement.namespace,
            {
                "fullnameOverride": "logstash",
                "version": args.elasticsearch.version,
                "count": args.settings.replicas,
                "elasticsearchRefs": [{"clusterName": args.elasticsearch.cluster, "name": args.elasticsearch.cluster}],
                "pipelinesRef": {"secretName": PIPELINES_SECRET},
                "services": [
                    {
                        "name": "beats",
                        "service": {"spec": {"ports": [{"name": "beats", "port": BEATS_PORT, "protocol": "TCP"}]}},
                    }
                ],
                "volumeClaimTemplates": [volume],
                "podTemplate": {
                    "metadata": {"annotations": args.credentials},
                    "spec": {
                        **args.placement.priority,
                        "securityContext": AS_ELASTIC,
                        "affinity": apart(_PODS),
                        # The operator's own, by its name, to which it gives no security context that says anything.
                        "initContainers": [{"name": "logstash-internal-init-config", "securityContext": RESTRICTED}],
                        "containers": [
                            {
                                "name": "logstash",
                                # Nobody has said that Logstash runs on a root that is read-only:
                                # https://github.com/elastic/logstash/issues/10905
                                "securityContext": UNPRIVILEGED,
                                "resources": args.settings.resources.manifest(),
                                "env": _environment(args),
                                "volumeMounts": [
                                    {"name": "certificates", "mountPath": _CERTIFICATES, "readOnly": True}
                                ],
                            }
                        ],
                        "volumes": [{"name": "certificates", "secret": {"secretName": _CERTIFICATE}}],
                    },
                },
            },
            pulumi.ResourceOptions(parent=self, depends_on=[pipelines, certificate]),
        )
        if args.settings.replicas > 1:
            own = pulumi.ResourceOptions(parent=self)
            disruption_budget("logstash", "logstash", args.placement.namespace, _PODS, own)
        self.beats_address = beats(args.placement.namespace)
        self.register_outputs({"beats": self.beats_address})


def beats(namespace: str) -> str:
    """Return host:port of the Beats input."""
    return f"logstash-ls-beats.{namespace}.svc:{BEATS_PORT}"


def _environment(args: LogstashArgs) -> list[dict[str, Any]]:
    """Return what the pipelines name as ${…} besides what ECK injects, and the size of the heap."""
    login = user_secret(args.elasticsearch.cluster, "logstash")
    heap = int(to_bytes(args.settings.resources.manifest()["limits"]["memory"]) / 2 / _MIB)
    values = {
        # The Beats input takes as much again off the heap, unless it is told.
        "LS_JAVA_OPTS": f"-Xms{heap}m -Xmx{heap}m -XX:MaxDirectMemorySize={heap // 2}m",
        "ALERTMANAGER_URL": args.alertmanager.url,
        "ALERTMANAGER_USER": WEB_USER,
        "CLUSTER": args.alertmanager.cluster,
    }
    secrets = {"LOGSTASH_USER": (login, "username"), "LOGSTASH_PASSWORD": (login, "password")}
    if args.alertmanager.authentication:
        secrets["ALERTMANAGER_PASSWORD"] = (WEB_AUTH, "password")
    return [
        *({"name": name, "value": value} for name, value in values.items()),
        *(
            {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
            for name, (secret, key) in secrets.items()
        ),
    ]


def pipelines() -> dict[str, str]:
    """Return the pipelines by file name, as they lie in `pipelines/`."""
    return {path.name: path.read_text() for path in sorted(_PIPELINES.glob("*.conf"))}


def pipelines_yml(storage: str) -> str:
    """Return Logstash's pipelines.yml, which holds them all, and what each may keep on the volume.

    Args:
        storage: the size of the volume, as a Kubernetes quantity.
    """
    volume = int(to_bytes(storage) / _MIB)
    keeps: dict[str, dict[str, Any]] = {
        # What waits for Elasticsearch, and what it refuses: see docs/operations.md.
        "main": {
            "queue.max_bytes": f"{volume * 6 // 10}mb",
            "dead_letter_queue.enable": True,
            "dead_letter_queue.max_bytes": f"{volume * 2 // 10}mb",
            "dead_letter_queue.storage_policy": "drop_older",
        },
        # One worker, as it counts.
        "errors": {"queue.max_bytes": "128mb", "pipeline.workers": 1},
    }
    return yaml.safe_dump(
        [
            {"pipeline.id": name, "queue.type": "persisted", **keep, "config.string": pipelines()[f"{name}.conf"]}
            for name, keep in keeps.items()
        ],
        sort_keys=False,
        allow_unicode=True,
    )
