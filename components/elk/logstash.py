"""Logstash: takes lines from Filebeat, makes fields of them, and writes them to Elasticsearch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi_kubernetes import core

from ..certificate import derived
from ..metadata import metadata
from ..settings.logs import LogstashSettings
from ..site import Site
from ..store import Store, user_secret

BEATS_PORT = 5044
PIPELINES_SECRET = "logstash-pipelines"  # ECK reads pipelines from Secrets only
_CERTIFICATE, _CERTIFICATES = "logstash-certificate", "/usr/share/logstash/config/certificates"

_PIPELINES = Path(__file__).parent / "pipelines"


@dataclass(frozen=True)
class LogstashArgs:
    """What Logstash is told.

    Args:
        site: where it runs.
        settings: its size.
        store: the Elasticsearch that it writes to.
        transport: the secret from which its certificate comes, as Filebeat's does.
    """

    site: Site
    settings: LogstashSettings
    store: Store
    transport: pulumi.Input[str]


class Logstash(pulumi.ComponentResource):
    """The Secret with the pipelines, and the Release with the custom resource. `beats` is where Filebeat sends to."""

    beats: str

    def __init__(self, name: str, args: LogstashArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:Logstash", name, {}, opts)
        pipelines = core.v1.Secret(
            PIPELINES_SECRET,
            metadata=metadata(PIPELINES_SECRET, "logstash", args.site.namespace),
            string_data={"pipelines.yml": pipelines_yml()},
            opts=pulumi.ResourceOptions(parent=self),
        )
        host = beats(args.site.namespace).partition(":")[0]
        certificate = core.v1.Secret(
            _CERTIFICATE,
            metadata=metadata(_CERTIFICATE, "logstash", args.site.namespace),
            string_data=pulumi.Output.from_input(args.transport).apply(lambda seed: derived(seed, host)),
            opts=pulumi.ResourceOptions(parent=self),
        )
        volume = {
            "metadata": {"name": "logstash-data"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": args.site.storage_class,
                "resources": {"requests": {"storage": args.settings.storage}},
            },
        }
        args.site.charts.release(
            "logstash",
            "eck-logstash",
            args.site.namespace,
            {
                "fullnameOverride": "logstash",
                "version": args.store.version,
                "count": args.settings.replicas,
                "elasticsearchRefs": [{"clusterName": args.store.cluster, "name": args.store.cluster}],
                "pipelinesRef": {"secretName": PIPELINES_SECRET},
                "services": [
                    {
                        "name": "beats",
                        "service": {"spec": {"ports": [{"name": "beats", "port": BEATS_PORT, "protocol": "TCP"}]}},
                    }
                ],
                "volumeClaimTemplates": [volume],
                "podTemplate": {
                    "spec": {
                        "containers": [
                            {
                                "name": "logstash",
                                "resources": args.settings.resources.manifest(),
                                "env": _environment(args.store),
                                "volumeMounts": [
                                    {"name": "certificates", "mountPath": _CERTIFICATES, "readOnly": True}
                                ],
                            }
                        ],
                        "volumes": [{"name": "certificates", "secret": {"secretName": _CERTIFICATE}}],
                    }
                },
            },
            pulumi.ResourceOptions(parent=self, depends_on=[pipelines, certificate]),
        )
        self.beats = beats(args.site.namespace)
        self.register_outputs({"beats": self.beats})


def beats(namespace: str) -> str:
    """Return host:port of the Beats input."""
    return f"logstash-ls-beats.{namespace}.svc:{BEATS_PORT}"


def _environment(store: Store) -> list[dict[str, Any]]:
    """Return what the pipelines name as ${…} besides what ECK injects."""
    login = user_secret(store.cluster, "logstash")
    return [
        {"name": f"LOGSTASH_{name}", "valueFrom": {"secretKeyRef": {"name": login, "key": key}}}
        for name, key in {"USER": "username", "PASSWORD": "password"}.items()
    ]


def pipelines() -> dict[str, str]:
    """Return the pipelines by file name, as they lie in `pipelines/`."""
    return {path.name: path.read_text() for path in sorted(_PIPELINES.glob("*.conf"))}


def pipelines_yml() -> str:
    """Return Logstash's pipelines.yml, which holds them all."""
    return yaml.safe_dump(
        [{"pipeline.id": Path(file).stem, "config.string": text} for file, text in pipelines().items()],
        sort_keys=False,
        allow_unicode=True,
    )
