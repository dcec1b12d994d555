"""Grafana: datasources and dashboards as ConfigMaps that its sidecars load, and its Release."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
from pulumi_kubernetes import core

from ..elastic.connection import ElasticsearchConnection
from ..foundation import account_token, rights
from ..foundation.backup_target import BackupTarget
from ..foundation.metadata import metadata
from ..foundation.names import GRAFANA_ADMIN, WEB_AUTH, WEB_USER
from ..foundation.placement import Placement
from ..foundation.pod_security import RESTRICTED, SECCOMP
from ..foundation.web_interfaces import GRAFANA
from ..settings.grafana import GrafanaSettings
from . import single_sign_on

PORT = GRAFANA.port

_DASHBOARDS = Path(__file__).parent.parent.parent / "dashboards"
_DATA = "/var/lib/grafana"
_CERTIFICATES = "/etc/grafana/elasticsearch-certificates"
# What is written to besides the volume and the chart's own folders: sockets, by which Grafana speaks to its
# datasources' plugins, and what passes between the processes of a sidecar.
_WORK = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108
_SIDECARS_WORK = {"name": "sidecars-tmp", "mountPath": "/tmp"}  # noqa: S108

# From a span to what else happened then; $$ is what Grafana itself is to fill in.
_AROUND = {"spanStartTimeShift": "-15m", "spanEndTimeShift": "15m"}
_TRACE_TO_LOGS = {
    "datasourceUid": "elasticsearch",
    **_AROUND,
    "customQuery": True,
    "query": 'trace.id:"$${__trace.traceId}"',
}
_TRACE_TO_METRICS = {
    "datasourceUid": "prometheus",
    **_AROUND,
    "tags": [{"key": "service.name", "value": "job"}],
    "queries": [
        {"name": "Requests a second", "query": "sum by (status) (rate(http_requests_total{$$__tags}[5m]))"},
        {
            "name": "Response time, 95th percentile",
            "query": "histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket{$$__tags}[5m])))",
        },
    ],
}


@dataclass(frozen=True, kw_only=True)
class GrafanaArgs:
    """The arguments of Grafana.

    Args:
        placement: where it runs.
        settings: its size, and how people log in.
        url: where people open it.
        datasources: where the data is.
        backup: where its database is saved to, if anywhere.
        credentials: the annotation that changes with its passwords.
    """

    placement: Placement
    settings: GrafanaSettings
    url: pulumi.Input[str]
    datasources: "Datasources"
    backup: BackupTarget | None
    credentials: Mapping[str, pulumi.Input[str]]


@dataclass(frozen=True)
class Datasources:
    """The addresses of what Grafana reads, in the cluster, and the Secrets with which it does.

    Args:
        prometheus: URL.
        alertmanager: URL.
        authentication: whether those two ask for a password.
        logs: the Elasticsearch that holds them.
        jaeger: URL of the query service.
    """

    prometheus: str
    alertmanager: str
    authentication: bool
    logs: ElasticsearchConnection
    jaeger: str


class Grafana(pulumi.ComponentResource):
    """A ConfigMap for each dashboard, one with the datasources, and the Release."""

    def __init__(self, name: str, args: GrafanaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:Grafana", name, {}, opts)
        self._namespace = args.placement.namespace
        config_maps = [
            self._config_map(f"dashboard-{Path(file).stem}", "grafana_dashboard", {file: text})
            for file, text in dashboards().items()
        ]
        config_maps.append(
            self._config_map(
                "grafana-datasources", "grafana_datasource", {"datasources.yaml": _datasources(args.datasources)}
            )
        )
        of_sidecars = rights.Rights(
            component="grafana",
            account="grafana",
            namespace=self._namespace,
            rules=[{"apiGroups": [""], "resources": ["configmaps"], "verbs": rights.READ}],
        )
        granted = rights.in_namespace("grafana-config-maps", of_sidecars, self)
        args.placement.charts.release(
            "grafana",
            "grafana",
            args.placement.namespace,
            _values(args),
            pulumi.ResourceOptions(parent=self, depends_on=[*config_maps, *granted]),
        )
        self.register_outputs({})

    def _config_map(self, name: str, sidecar_label: str, data: dict[str, str]) -> core.v1.ConfigMap:
        return core.v1.ConfigMap(
            name,
            metadata=metadata(name, "grafana", self._namespace, {sidecar_label: "1"}),
            data=data,
            opts=pulumi.ResourceOptions(parent=self),
        )


def dashboards() -> dict[str, str]:
    """Return the dashboards by file name, as they lie in `dashboards/`."""
    return {path.name: path.read_text() for path in sorted(_DASHBOARDS.glob("*.json"))}


def _datasources(sources: Datasources) -> str:
    """Return Grafana's provisioning file. Its uids are what dashboards name; passwords come from the environment.

    They are written as $NAME: Grafana would expand a $ in the value of ${NAME} once more.
    """
    web_auth: dict[str, Any] = {}
    if sources.authentication:
        web_auth = {
            "basicAuth": True,
            "basicAuthUser": WEB_USER,
            "secureJsonData": {"basicAuthPassword": "$WEB_PASSWORD"},
        }
    proxied = {"access": "proxy", "editable": False}
    return json.dumps(
        {
            "apiVersion": 1,
            "datasources": [
                {
                    "name": "Prometheus",
                    "uid": "prometheus",
                    "type": "prometheus",
                    "url": sources.prometheus,
                    "isDefault": True,
                    "jsonData": {
                        "httpMethod": "POST",
                        "timeInterval": "15s",
                        "exemplarTraceIdDestinations": [{"name": "trace_id", "datasourceUid": "jaeger"}],
                    },
                    **proxied,
                    **web_auth,
                },
                {
                    "name": "Alertmanager",
                    "uid": "alertmanager",
                    "type": "alertmanager",
                    "url": sources.alertmanager,
                    "jsonData": {"implementation": "prometheus"},
                    **proxied,
                    **web_auth,
                },
                {
                    "name": "Elasticsearch",
                    "uid": "elasticsearch",
                    "type": "elasticsearch",
                    "url": sources.logs.url,
                    "basicAuth": True,
                    "basicAuthUser": sources.logs.username,
                    "jsonData": {
                        "index": "mangakai-logs-*",
                        "timeField": "@timestamp",
                        "logMessageField": "message",
                        "logLevelField": "log.level",
                        "tlsAuthWithCACert": True,
                        # A log line's trace.id opens the trace.
                        "dataLinks": [{"field": "trace.id", "url": "$${__value.raw}", "datasourceUid": "jaeger"}],
                    },
                    "secureJsonData": {
                        "basicAuthPassword": "$ELASTICSEARCH_PASSWORD",
                        "tlsCACert": f"$__file{{{_CERTIFICATES}/ca.crt}}",
                    },
                    **proxied,
                },
                {
                    "name": "Jaeger",
                    "uid": "jaeger",
                    "type": "jaeger",
                    "url": sources.jaeger,
                    "jsonData": {"tracesToLogsV2": _TRACE_TO_LOGS, "tracesToMetrics": _TRACE_TO_METRICS},
                    **proxied,
                },
            ],
        },
        indent=2,
    )


def _values(args: GrafanaArgs) -> dict[str, Any]:
    sources, sign_on = args.datasources, args.settings.single_sign_on
    environment = {"ELASTICSEARCH_PASSWORD": {"secretKeyRef": {"name": sources.logs.user_secret, "key": "password"}}}
    if sources.authentication:
        environment["WEB_PASSWORD"] = {"secretKeyRef": {"name": WEB_AUTH, "key": "password"}}
    sidecar = {"enabled": True, "resource": "configmap", "extraMounts": [account_token.MOUNT, _SIDECARS_WORK]}
    return {
        "fullnameOverride": "grafana",
        **args.placement.priority,
        "admin": {"existingSecret": GRAFANA_ADMIN},
        "grafana.ini": {
            "server": {"root_url": args.url},
            # It needs no way out. Its datasources are plugins of its image, which an installer replaces at each start:
            # where the root is read-only, or grafana.com is not reached, they are gone then.
            # Source: https://github.com/grafana/grafana/issues/132528
            "analytics": {"reporting_enabled": False, "check_for_updates": False, "check_for_plugin_updates": False},
            "plugins": {"preinstall_disabled": True, "public_key_retrieval_disabled": True},
            "log": {"mode": "console"},  # and none to a file
            "users": {"allow_sign_up": False},
            "auth.anonymous": {"enabled": False},
            **(single_sign_on.sections(sign_on) if sign_on else {}),
        },
        "persistence": {
            "enabled": True,
            "type": "sts",  # its volume stays when the Release goes
            "size": args.settings.storage,
            "storageClassName": args.placement.storage_class,
        },
        "initChownData": {"enabled": False},  # fsGroup does it, without a root container
        "service": {"port": PORT},
        "rbac": {"create": False},
        "resources": args.settings.resources.manifest(),
        "securityContext": SECCOMP,
        "containerSecurityContext": RESTRICTED,
        "extraEmptyDirMounts": [_WORK],
        "sidecar": {
            "securityContext": RESTRICTED,
            "resources": {"requests": {"cpu": "10m", "memory": "96Mi"}, "limits": {"memory": "192Mi"}},
            "dashboards": sidecar,
            "datasources": sidecar,
        },
        "automountServiceAccountToken": False,
        "extraContainerVolumes": [
            account_token.VOLUME,
            {"name": _SIDECARS_WORK["name"], "emptyDir": {}},
            *(args.backup.volumes() if args.backup else []),
        ],
        **(_saved(args.backup) if args.backup else {}),
        "envValueFrom": environment,
        "podAnnotations": args.credentials,
        "extraSecretMounts": [
            {
                "name": "elasticsearch-certificates",
                "secretName": sources.logs.ca_secret,
                "mountPath": _CERTIFICATES,
                "readOnly": True,
            },
            *([single_sign_on.MOUNT] if sign_on else []),
        ],
    }


def _saved(backup: BackupTarget) -> dict[str, Any]:
    """Return the values that add the sidecar which saves Grafana's database."""
    mount = {"name": "storage", "mountPath": _DATA}
    sidecar = backup.container(["run", "grafana"], {"GRAFANA_DATABASE": f"{_DATA}/grafana.db"}, [mount], memory="256Mi")
    return {
        "serviceAccount": {"annotations": backup.annotations("grafana")},
        "extraInitContainers": [backup.init_container()],
        # The chart takes a text that it puts under `containers:`, and JSON is YAML.
        "extraContainers": pulumi.Output.json_dumps(sidecar).apply(lambda text: f"- {text}"),
    }
