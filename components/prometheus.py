"""Prometheus, with kube-state-metrics and node-exporter; its configuration is ours, not the chart's."""

from dataclasses import dataclass
from typing import Any

import pulumi
import yaml
from pulumi_kubernetes import core

from .metadata import metadata
from .names import PROMETHEUS_RULES, PROMETHEUS_SCRAPE_CONFIGS, WEB_AUTH, WEB_USER
from .settings.metrics import PrometheusSettings
from .settings.platform import ClusterSettings, ExposureSettings
from .site import Site

# The chart puts the release's name before it.
CONFIG_MAP = "prometheus-config"
SELECTOR = {"app.kubernetes.io/name": "prometheus", "app.kubernetes.io/instance": "prometheus"}
PORT = 9090

_WEB = "/etc/prometheus/web"
_RESTRICTED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
_MOUNTS = [
    {"name": "rules", "mountPath": "/etc/prometheus/rules", "readOnly": True},
    {"name": "scrape-configs", "mountPath": "/etc/prometheus/scrape_configs", "readOnly": True},
]


@dataclass(frozen=True)
class PrometheusArgs:
    """What Prometheus is told.

    Args:
        site: where it runs.
        nodes: where node-exporter runs, which needs the node.
        settings: its size.
        cluster: what its metrics are labelled with.
        url: where people open it; links in alerts lead there.
        exposure: whether it asks for a password.
    """

    site: Site
    nodes: Site
    settings: PrometheusSettings
    cluster: ClusterSettings
    url: pulumi.Input[str]
    exposure: ExposureSettings


class Prometheus(pulumi.ComponentResource):
    """The ConfigMap with prometheus.yml, and the Release. `url` is what programs in the cluster call."""

    url: str

    def __init__(self, name: str, args: PrometheusArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:Prometheus", name, {}, opts)
        config = core.v1.ConfigMap(
            CONFIG_MAP,
            metadata=metadata(CONFIG_MAP, "prometheus", args.site.namespace),
            data={"prometheus.yml": render(args.cluster, args.exposure)},
            opts=pulumi.ResourceOptions(parent=self),
        )
        args.site.charts.release(
            "prometheus",
            "prometheus",
            args.site.namespace,
            _values(args),
            pulumi.ResourceOptions(parent=self, depends_on=[config]),
        )
        self.url = f"http://prometheus.{args.site.namespace}.svc:{PORT}"
        self.register_outputs({"url": self.url})


def render(cluster: ClusterSettings, exposure: ExposureSettings) -> str:
    """Return prometheus.yml."""
    basic_auth = {"basic_auth": {"username": WEB_USER, "password_file": f"{_WEB}/password"}}
    alertmanagers: dict[str, Any] = {
        # Every replica, not one of them behind a Service: they deduplicate among themselves (D-009).
        "dns_sd_configs": [{"names": ["alertmanager-headless.monitoring.svc"], "type": "A", "port": 9093}],
        **(basic_auth if exposure.authentication else {}),
    }
    config = {
        "global": {
            "scrape_interval": "15s",
            "evaluation_interval": "15s",
            "external_labels": {
                "cluster": cluster.name,
                "region": cluster.region,
                "prometheus_replica": "${POD_NAME}",
            },
        },
        "rule_files": ["/etc/prometheus/rules/*.yml"],
        "scrape_config_files": ["/etc/prometheus/scrape_configs/*.yml"],
        "alerting": {
            # Two replicas send the same alert; without the label Alertmanager takes them for one.
            "alert_relabel_configs": [{"regex": "prometheus_replica", "action": "labeldrop"}],
            "alertmanagers": [alertmanagers],
        },
    }
    return yaml.safe_dump(config, sort_keys=False)


def _values(args: PrometheusArgs) -> dict[str, Any]:
    settings = args.settings
    server: dict[str, Any] = {
        "fullnameOverride": "prometheus",
        "configMapOverrideName": "config",
        "replicaCount": settings.replicas,
        "statefulSet": {"enabled": True, "headless": {"servicePort": PORT}},
        "service": {"servicePort": PORT, "sessionAffinity": "ClientIP"},
        "retention": settings.retention,
        "retentionSize": settings.retention_size,
        "persistentVolume": {"size": settings.storage, "storageClass": args.site.storage_class},
        "baseURL": args.url,
        "resources": settings.resources.manifest(),
        "extraArgs": {"enable-feature": "exemplar-storage"},  # the trace behind a point of a graph
        "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "extraVolumes": [
            {"name": "rules", "configMap": {"name": PROMETHEUS_RULES}},
            {"name": "scrape-configs", "configMap": {"name": PROMETHEUS_SCRAPE_CONFIGS}},
        ],
        "extraVolumeMounts": _MOUNTS,
        "podAntiAffinity": "soft",
        "podAnnotations": {"kubectl.kubernetes.io/default-container": "prometheus-server"},
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containerSecurityContext": _RESTRICTED,
    }
    reload: dict[str, Any] = {
        "prometheus": {
            "extraVolumeMounts": _MOUNTS,
            "extraVolumeDirs": [mount["mountPath"] for mount in _MOUNTS],
            "containerSecurityContext": _RESTRICTED,
        }
    }
    if settings.replicas > 1:
        server["podDisruptionBudget"] = {"enabled": True, "maxUnavailable": 1}
    if args.exposure.authentication:
        server["extraArgs"]["web.config.file"] = f"{_WEB}/web-config.yml"
        server |= {
            "extraSecretMounts": [{"name": "web", "secretName": WEB_AUTH, "mountPath": _WEB, "readOnly": True}],
            # The probes send no password.
            "tcpSocketProbeEnabled": True,
        }
        secret = {"secretKeyRef": {"name": WEB_AUTH, "key": "prometheus-reload-url"}}
        reload |= {"reloadUrl": "$(RELOAD_URL)", "env": [{"name": "RELOAD_URL", "valueFrom": secret}]}
    return {
        "server": server,
        "configmapReload": reload,
        "alertmanager": {"enabled": False},
        "prometheus-pushgateway": {"enabled": False},
        "kube-state-metrics": {"fullnameOverride": "kube-state-metrics"},
        "prometheus-node-exporter": {
            "fullnameOverride": "node-exporter",
            "namespaceOverride": args.nodes.namespace,
        },
    }
