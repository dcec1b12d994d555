"""Alertmanager: whom it notifies of what, and its Release."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi_kubernetes import core

from .metadata import metadata
from .names import ALERTMANAGER_SECRETS, WEB_AUTH
from .settings.metrics import AlertmanagerSettings
from .settings.platform import ExposureSettings
from .site import Site

CONFIG_MAP = "alertmanager-config"
SELECTOR = {"app.kubernetes.io/name": "alertmanager", "app.kubernetes.io/instance": "alertmanager"}
PORT = 9093

_TEMPLATES = Path(__file__).parent.parent / "rules" / "templates"
_SECRETS = "/etc/alertmanager-secrets"
_RESTRICTED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


@dataclass(frozen=True)
class AlertmanagerArgs:
    """What Alertmanager is told.

    Args:
        site: where it runs.
        settings: its size and its receivers.
        url: where people open it; links in notifications lead there.
        exposure: whether it asks for a password.
    """

    site: Site
    settings: AlertmanagerSettings
    url: pulumi.Input[str]
    exposure: ExposureSettings


class Alertmanager(pulumi.ComponentResource):
    """The ConfigMap with alertmanager.yml and the templates, and the Release. `url` is for programs in the cluster."""

    url: str

    def __init__(self, name: str, args: AlertmanagerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:Alertmanager", name, {}, opts)
        config = core.v1.ConfigMap(
            CONFIG_MAP,
            metadata=metadata(CONFIG_MAP, "alertmanager", args.site.namespace),
            data={"alertmanager.yml": render(args.settings), **templates()},
            opts=pulumi.ResourceOptions(parent=self),
        )
        args.site.charts.release(
            "alertmanager",
            "alertmanager",
            args.site.namespace,
            _values(args),
            pulumi.ResourceOptions(parent=self, depends_on=[config]),
        )
        self.url = f"http://alertmanager.{args.site.namespace}.svc:{PORT}"
        self.register_outputs({"url": self.url})


def templates() -> dict[str, str]:
    """Return the notification templates by file name."""
    return {path.name: path.read_text() for path in sorted(_TEMPLATES.glob("*.tmpl"))}


def render(settings: AlertmanagerSettings) -> str:
    """Return alertmanager.yml: receivers, routes and inhibition of the guide (S-039 to S-051)."""
    config = {
        "global": {
            "smtp_smarthost": settings.smtp.smarthost,
            "smtp_from": settings.smtp.from_,
            "smtp_auth_username": settings.smtp.auth_username,
            "smtp_auth_password_file": f"{_SECRETS}/smtp-auth-password",  # D-054
        },
        "templates": ["/etc/alertmanager/*.tmpl"],
        "route": {
            "group_by": ["alertname", "cluster", "service"],
            "group_wait": "10s",
            "group_interval": "5m",  # D-050: the guide's 10s mails each new member of a group at once
            "repeat_interval": "1h",
            "receiver": "default",
            "routes": [
                {
                    "matchers": ['severity="critical"'],  # D-047
                    "receiver": "critical-alerts",
                    "group_wait": "5s",
                    "repeat_interval": "30m",
                },
                {"matchers": ['severity="warning"'], "receiver": "warning-alerts", "repeat_interval": "2h"},
                {"matchers": ['severity="none"'], "receiver": "none"},  # D-053: the Watchdog is for machines
            ],
        },
        "receivers": [
            {"name": "default", "email_configs": [_email(settings.team_email, "default")]},
            {
                "name": "critical-alerts",
                "email_configs": [_email(settings.oncall_email, "critical")],
                "slack_configs": [
                    {
                        "api_url_file": f"{_SECRETS}/slack-api-url",
                        "channel": settings.slack_channel,
                        "title": '{{ template "mangakai.slack.title" . }}',
                        "text": '{{ template "mangakai.slack.text" . }}',
                        "send_resolved": True,
                    }
                ],
            },
            {"name": "warning-alerts", "email_configs": [_email(settings.team_email, "warning")]},
            {"name": "none"},
        ],
        "inhibit_rules": [
            {
                "source_matchers": ['severity="critical"'],  # D-048
                "target_matchers": ['severity="warning"'],
                "equal": ["alertname", "cluster", "service"],
            }
        ],
    }
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True)


def _email(to: str, kind: str) -> dict[str, Any]:
    return {
        "to": to,
        "headers": {"Subject": f'{{{{ template "mangakai.{kind}.subject" . }}}}'},  # D-046
        "text": f'{{{{ template "mangakai.{kind}.text" . }}}}',
        "html": "",
        "send_resolved": True,  # D-052
    }


def _values(args: AlertmanagerArgs) -> dict[str, Any]:
    settings = args.settings
    mount = {"name": "config", "mountPath": "/etc/alertmanager", "readOnly": True}
    secret_mounts = [
        {"name": "secrets", "secretName": ALERTMANAGER_SECRETS, "mountPath": _SECRETS, "readOnly": True},
    ]
    reload: dict[str, Any] = {
        "enabled": True,
        "containerPort": 8080,
        "extraArgs": {"listen-address": ":8080"},
        "extraVolumeMounts": [mount],
        "securityContext": _RESTRICTED,
    }
    values: dict[str, Any] = {
        "fullnameOverride": "alertmanager",
        "replicaCount": settings.replicas,
        "baseURL": args.url,
        "config": {"enabled": False},
        "extraVolumes": [{"name": "config", "configMap": {"name": CONFIG_MAP}}],
        "extraVolumeMounts": [mount],
        "persistence": {"size": settings.storage, "storageClass": args.site.storage_class},
        "resources": settings.resources.manifest(),
        "podAntiAffinity": "soft",
        "automountServiceAccountToken": False,
        "podSecurityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "securityContext": _RESTRICTED,
    }
    if settings.replicas > 1:
        values["podDisruptionBudget"] = {"maxUnavailable": 1}
    if args.exposure.authentication:
        secret_mounts.append(
            {"name": "web", "secretName": WEB_AUTH, "mountPath": "/etc/alertmanager-web", "readOnly": True}
        )
        values["extraArgs"] = {"web.config.file": "/etc/alertmanager-web/web-config.yml"}
        # The probes can send no password that is not in clear in the pod's spec, and the chart's httpGet cannot be
        # taken away: so they ask the reloader, whose own readiness is that Alertmanager's port is open.
        values["livenessProbe"] = values["readinessProbe"] = {"httpGet": {"path": "/healthz", "port": 8080}}
        reload["readinessProbe"] = {"tcpSocket": {"port": PORT}}
        reload["extraArgs"]["reload-url"] = "$(RELOAD_URL)"
        secret = {"secretKeyRef": {"name": WEB_AUTH, "key": "alertmanager-reload-url"}}
        reload["extraEnv"] = [{"name": "RELOAD_URL", "valueFrom": secret}]
    return {**values, "extraSecretMounts": secret_mounts, "configmapReload": reload}
