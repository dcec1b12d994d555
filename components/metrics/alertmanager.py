"""Alertmanager: its configuration as a ConfigMap, the Secret of its gossip, and its Release."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes import core

from ..foundation.metadata import metadata
from ..foundation.names import ALERTMANAGER_NOTIFICATIONS, WEB_AUTH
from ..foundation.placement import Placement
from ..foundation.pod_security import AS_NOBODY, RESTRICTED
from ..foundation.scheduling import ONE_AT_A_TIME, apart
from ..foundation.web_interfaces import ALERTMANAGER
from ..settings.foundation import ExposureSettings
from ..settings.metrics import AlertmanagerSettings
from . import config_reloader, gossip
from .notifications import SECRETS_FOLDER, links, render, templates

CONFIG_MAP = "alertmanager-config"
PORT = ALERTMANAGER.port

_CONFIG, _WEB = "/etc/alertmanager", "/etc/alertmanager-web"


@dataclass(frozen=True, kw_only=True)
class AlertmanagerArgs:
    """The arguments of Alertmanager.

    Args:
        placement: where it runs.
        settings: its size and its receivers.
        urls: where people open each part, by its name: links in notifications lead there.
        exposure: whether it asks for a password.
        gossip_seed: the secret from which the replicas' certificate comes; None where there is one replica.
        credentials: the annotation that changes with this secret, and with the password that its reloader sends.
    """

    placement: Placement
    settings: AlertmanagerSettings
    urls: Mapping[str, pulumi.Input[str]]
    exposure: ExposureSettings
    gossip_seed: pulumi.Input[str] | None
    credentials: Mapping[str, pulumi.Input[str]]


class Alertmanager(pulumi.ComponentResource):
    """The ConfigMap with alertmanager.yml and the templates, the Secret of the gossip, and the Release.

    `url` is for programs in the cluster.
    """

    url: str

    def __init__(self, name: str, args: AlertmanagerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:Alertmanager", name, {}, opts)
        if not args.settings.heartbeat:
            pulumi.log.warn(
                "alertmanager.heartbeat is off: nobody is told when Prometheus or Alertmanager itself dies", self
            )
        config = core.v1.ConfigMap(
            CONFIG_MAP,
            metadata=metadata(CONFIG_MAP, "alertmanager", args.placement.namespace),
            data={
                "alertmanager.yml": render(args.settings),
                **templates(),
                "links.tmpl": pulumi.Output.all(args.urls["grafana"], args.urls["kibana"]).apply(
                    lambda urls: links(*urls)
                ),
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        needed: list[pulumi.Resource] = [config]
        if args.gossip_seed is not None:
            needed.append(
                core.v1.Secret(
                    gossip.SECRET,
                    metadata=metadata(gossip.SECRET, "alertmanager", args.placement.namespace),
                    string_data=pulumi.Output.from_input(args.gossip_seed).apply(gossip.files),
                    opts=pulumi.ResourceOptions(parent=self),
                )
            )
        args.placement.charts.release(
            "alertmanager",
            "alertmanager",
            args.placement.namespace,
            _values(args),
            pulumi.ResourceOptions(parent=self, depends_on=needed),
        )
        self.url = f"http://alertmanager.{args.placement.namespace}.svc:{PORT}"
        self.register_outputs({"url": self.url})


def _values(args: AlertmanagerArgs) -> dict[str, Any]:
    settings = args.settings
    mount = {"name": "config", "mountPath": _CONFIG, "readOnly": True}
    web = [{"name": "web", "mountPath": _WEB, "readOnly": True}] if args.exposure.authentication else []
    secret_mounts = [
        {"name": "secrets", "secretName": ALERTMANAGER_NOTIFICATIONS, "mountPath": SECRETS_FOLDER, "readOnly": True},
    ]
    reloader = config_reloader.container("alertmanager", PORT, [_CONFIG], [mount, *web], _WEB if web else None)
    values: dict[str, Any] = {
        "fullnameOverride": "alertmanager",
        "replicaCount": settings.replicas,
        "baseURL": args.urls["alertmanager"],
        "config": {"enabled": False},
        "extraVolumes": [{"name": "config", "configMap": {"name": CONFIG_MAP}}],
        "extraVolumeMounts": [mount],
        "persistence": {"size": settings.storage, "storageClass": args.placement.storage_class},
        "resources": settings.resources.manifest(),
        "affinity": apart(ALERTMANAGER.selector),
        **args.placement.priority,
        "podAnnotations": args.credentials,
        "automountServiceAccountToken": False,
        "podSecurityContext": AS_NOBODY,
        "securityContext": RESTRICTED,
    }
    # Failed notifications are counted by receiver: which of two that get mails is not told.
    flags = {**gossip.flags(settings.replicas), "enable-feature": "receiver-name-in-metrics"}
    if settings.replicas > 1:
        values["podDisruptionBudget"] = ONE_AT_A_TIME
        secret_mounts.append(
            {"name": "gossip", "secretName": gossip.SECRET, "mountPath": gossip.FOLDER, "readOnly": True}
        )
    if web:
        secret_mounts.append({"secretName": WEB_AUTH, **web[0]})
        flags["web.config.file"] = f"{_WEB}/web-config.yml"
        # The probes can send no password that is not in clear in the pod's spec, and the chart's httpGet cannot be
        # taken away: so they ask the reloader, whose own readiness is that Alertmanager's port is open.
        values["livenessProbe"] = values["readinessProbe"] = {
            "httpGet": {"path": "/healthz", "port": config_reloader.PORT}
        }
        reloader["readinessProbe"] = {"tcpSocket": {"port": PORT}}
    return {**values, "extraArgs": flags, "extraSecretMounts": secret_mounts, "extraContainers": [reloader]}
