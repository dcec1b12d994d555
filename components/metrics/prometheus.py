"""Prometheus, with kube-state-metrics and node-exporter; its configuration is ours, not the chart's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import yaml
from pulumi_kubernetes import core

from ..foundation import account_token, rights
from ..foundation.backup_target import BackupTarget
from ..foundation.metadata import metadata
from ..foundation.names import (
    PROMETHEUS_RIGHTS,
    PROMETHEUS_RULES,
    PROMETHEUS_SCRAPE_CONFIGS,
    REMOTE_WRITE,
    WEB_AUTH,
    WEB_USER,
)
from ..foundation.placement import Placement
from ..foundation.pod_security import RESTRICTED, SECCOMP
from ..foundation.scheduling import ONE_AT_A_TIME, apart
from ..foundation.web_interfaces import PROMETHEUS
from ..settings.foundation import ClusterSettings, ExposureSettings
from ..settings.metrics import PrometheusSettings, RemoteWriteSettings
from . import config_reloader
from .counted_objects import counted_objects

# The chart puts `prometheus-` before the value of configMapOverrideName.
CONFIG_MAP = "prometheus-config"
PORT = PROMETHEUS.port

_DATA = "/data"
_WEB = "/etc/prometheus/web"
# Where the password lies that Prometheus and Alertmanager ask for, if they do.
WEB_PASSWORD = f"{_WEB}/password"
_LOGIN = "/etc/prometheus/remote-write"
# What the jobs in `scrape/` look up, and what they read from kubelets and the API server.
_RULES: list[rights.Rule] = [
    {"apiGroups": [""], "resources": ["nodes", "nodes/metrics", "pods", "services"], "verbs": rights.READ},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": rights.READ},
    {"nonResourceURLs": ["/metrics"], "verbs": ["get"]},
]
_MOUNTS = [
    {"name": "rules", "mountPath": "/etc/prometheus/rules", "readOnly": True},
    {"name": "scrape-configs", "mountPath": "/etc/prometheus/scrape_configs", "readOnly": True},
]


@dataclass(frozen=True, kw_only=True)
class PrometheusArgs:
    """The arguments of Prometheus.

    Args:
        placement: where it runs.
        agents: where node-exporter runs, which needs the node.
        settings: its size, and a long-term store.
        cluster: what its metrics are labelled with.
        url: where people open it; links in alerts lead there.
        exposure: whether it asks for a password.
        backup: where its blocks are saved to, if anywhere.
        credentials: the annotation that changes with the password that its reloader sends.
    """

    placement: Placement
    agents: Placement
    settings: PrometheusSettings
    cluster: ClusterSettings
    url: pulumi.Input[str]
    exposure: ExposureSettings
    backup: BackupTarget | None
    credentials: Mapping[str, pulumi.Input[str]]


class Prometheus(pulumi.ComponentResource):
    """The ConfigMap with prometheus.yml, and the Release. `url` is what programs in the cluster call."""

    url: str

    def __init__(self, name: str, args: PrometheusArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:Prometheus", name, {}, opts)
        config = core.v1.ConfigMap(
            CONFIG_MAP,
            metadata=metadata(CONFIG_MAP, "prometheus", args.placement.namespace),
            data={"prometheus.yml": render(args.cluster, args.exposure, args.settings.remote_write)},
            opts=pulumi.ResourceOptions(parent=self),
        )
        of_server = rights.Rights(
            component="prometheus", account="prometheus", namespace=args.placement.namespace, rules=_RULES
        )
        granted = rights.in_cluster(PROMETHEUS_RIGHTS, of_server, self)
        args.placement.charts.release(
            "prometheus",
            "prometheus",
            args.placement.namespace,
            _values(args),
            pulumi.ResourceOptions(parent=self, depends_on=[config, *granted]),
        )
        self.url = f"http://prometheus.{args.placement.namespace}.svc:{PORT}"
        self.register_outputs({"url": self.url})


def render(cluster: ClusterSettings, exposure: ExposureSettings, remote_write: RemoteWriteSettings | None) -> str:
    """Return prometheus.yml."""
    basic_auth = {"basic_auth": {"username": WEB_USER, "password_file": WEB_PASSWORD}}
    alertmanagers: dict[str, Any] = {
        # Every replica, not one of them behind a Service: they deduplicate among themselves (D-009).
        # By IPv4 and IPv6: a cluster has one of them, or both.
        "dns_sd_configs": [
            {"names": ["alertmanager-headless.monitoring.svc"], "type": record, "port": 9093}
            for record in ("A", "AAAA")
        ],
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
        **({"remote_write": [_remote_write(remote_write, cluster.region)]} if remote_write else {}),
    }
    return yaml.safe_dump(config, sort_keys=False)


def _remote_write(settings: RemoteWriteSettings, region: str) -> dict[str, Any]:
    login: dict[str, Any]
    if settings.username:
        login = {"basic_auth": {"username": settings.username, "password_file": f"{_LOGIN}/password"}}
    else:
        # Signed for the region of the workspace, which need not be the cluster's.
        login = {"sigv4": {"region": settings.workspace_region or region}}
        login["sigv4"] |= {"role_arn": settings.role_arn} if settings.role_arn else {}
    return {
        "name": "long-term",
        "url": settings.url,
        **login,
        # Amazon's service takes none.
        "send_exemplars": settings.username is not None,
        "queue_config": {"max_shards": settings.max_shards},
        "write_relabel_configs": [
            {"source_labels": ["__name__"], "regex": settings.keep, "action": "keep"},
            # Both replicas send; by `cluster` and this label the store keeps what one of them does.
            {"source_labels": ["prometheus_replica"], "target_label": "__replica__"},
            {"regex": "prometheus_replica", "action": "labeldrop"},
        ],
    }


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
        "persistentVolume": {"size": settings.storage, "storageClass": args.placement.storage_class},
        "baseURL": args.url,
        "resources": settings.resources.manifest(holds_memory=True),
        "extraArgs": {"enable-feature": "exemplar-storage"},  # the trace behind a point of a graph
        "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "extraVolumes": [
            {"name": "rules", "configMap": {"name": PROMETHEUS_RULES}},
            {"name": "scrape-configs", "configMap": {"name": PROMETHEUS_SCRAPE_CONFIGS}},
            account_token.VOLUME,
        ],
        "extraVolumeMounts": [*_MOUNTS, account_token.MOUNT],
        "automountServiceAccountToken": False,
        "affinity": apart(PROMETHEUS.selector),
        **args.placement.priority,
        "podAnnotations": {"kubectl.kubernetes.io/default-container": "prometheus-server", **args.credentials},
        "securityContext": SECCOMP,
        "containerSecurityContext": RESTRICTED,
    }
    web = [{"name": "web", "mountPath": _WEB, "readOnly": True}] if args.exposure.authentication else []
    sidecars: dict[str, dict[str, Any] | str] = {}
    mounts: list[dict[str, Any]] = []
    if settings.replicas > 1:
        server["podDisruptionBudget"] = {"enabled": True, **ONE_AT_A_TIME}
    if web:
        server["extraArgs"]["web.config.file"] = f"{_WEB}/web-config.yml"
        mounts.append({"secretName": WEB_AUTH, **web[0]})
        # The chart's probes could send a password only in clear in the pod's spec.
        server["tcpSocketProbeEnabled"] = True
        # The chart takes a text as a template: so the image is that of the server.
        sidecars["readiness"] = yaml.safe_dump(_readiness(web))
    if settings.remote_write and settings.remote_write.username:
        mounts.append({"name": "remote-write", "secretName": REMOTE_WRITE, "mountPath": _LOGIN, "readOnly": True})
    accounts = {}
    if args.backup:
        data = {"name": "storage-volume", "mountPath": _DATA}
        told = {"PROMETHEUS_DATA": _DATA}
        sidecars |= _by_name(args.backup.container(["run", "prometheus"], told, [data], memory="1Gi"))
        server["extraInitContainers"] = [args.backup.init_container()]
        server["extraVolumes"] += args.backup.volumes()
        accounts = {"serviceAccounts": {"server": {"annotations": args.backup.annotations("prometheus")}}}
    if mounts:
        server["extraSecretMounts"] = mounts
    config = {"name": "config-volume", "mountPath": "/etc/config", "readOnly": True}
    watched = [config, *_MOUNTS]
    folders = [str(mount["mountPath"]) for mount in watched]
    reloader = config_reloader.container("prometheus", PORT, folders, [*watched, *web], _WEB if web else None)
    sidecars |= _by_name(reloader)
    server["sidecarContainers"] = sidecars
    return {
        "server": server,
        "rbac": {"create": False},
        **accounts,
        "configmapReload": {"prometheus": {"enabled": False}},
        "alertmanager": {"enabled": False},
        "prometheus-pushgateway": {"enabled": False},
        "kube-state-metrics": {
            "fullnameOverride": "kube-state-metrics",
            **args.placement.priority,
            "collectors": counted_objects(),
            "resources": _resources("20m", "128Mi", "512Mi"),
        },
        "prometheus-node-exporter": {
            "fullnameOverride": "node-exporter",
            **args.placement.priority,
            "namespaceOverride": args.agents.namespace,
            "resources": _resources("20m", "32Mi", "128Mi"),
            "securityContext": SECCOMP,
            "containerSecurityContext": RESTRICTED,
        },
    }


def _by_name(container: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return a container as the chart takes it."""
    return {container["name"]: {key: value for key, value in container.items() if key != "name"}}


def _resources(cpu: str, memory: str, most_memory: str) -> dict[str, Any]:
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": most_memory}}


def _readiness(web: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the container that makes the pod ready when Prometheus answers queries.

    While Prometheus replays its log, which takes minutes, its port is open and it answers 503. promtool asks with the
    password from the file, and the pod is ready only if all of its containers are.

    Args:
        web: the mount with that file.
    """
    ask = ["promtool", "check", "ready", f"--http.config.file={_WEB}/client.yml", f"--url=http://127.0.0.1:{PORT}"]
    return {
        "image": "quay.io/prometheus/prometheus:{{ .Chart.AppVersion }}",
        # A shell that is process 1 ends on SIGTERM only if it is told to.
        "command": ["/bin/sh", "-c", "trap 'exit 0' TERM; while true; do sleep 3600 & wait; done"],
        "readinessProbe": {"exec": {"command": ask}, "periodSeconds": 5, "timeoutSeconds": 5},
        "resources": _resources("20m", "64Mi", "128Mi"),
        "securityContext": RESTRICTED,
        "volumeMounts": [*web],
    }
