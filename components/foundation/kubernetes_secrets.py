"""Secrets of the stack as Kubernetes Secrets; charts and configurations name them, and hold none themselves."""

import base64
import hashlib
import json
from dataclasses import dataclass
from urllib.parse import quote

import bcrypt
import pulumi
from pulumi_kubernetes import core

from .. import settings
from .metadata import metadata
from .names import (
    ALERTMANAGER_NOTIFICATIONS,
    BACKUP,
    CLIENT_SECRET,
    GRAFANA_ADMIN,
    GRAFANA_SINGLE_SIGN_ON,
    HEARTBEAT_URL,
    REMOTE_WRITE,
    SLACK_API_URL,
    SMTP_AUTH_PASSWORD,
    WEB_AUTH,
    WEB_USER,
)


@dataclass(frozen=True, kw_only=True)
class MonitoringSecretsArgs:
    """The namespace that the Secrets go to, and the stack's secrets."""

    namespace: str
    secrets: settings.Secrets


class MonitoringSecrets(pulumi.ComponentResource):
    """The Secrets of Alertmanager, Grafana, remote write and backups, and the basic auth in front of the former two."""

    def __init__(self, name: str, args: MonitoringSecretsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:MonitoringSecrets", name, {}, opts)
        secrets = args.secrets
        self._namespace = args.namespace
        self._secret(
            ALERTMANAGER_NOTIFICATIONS,
            {
                SMTP_AUTH_PASSWORD: secrets.smtp_auth_password,
                SLACK_API_URL: secrets.slack_api_url,
                **({HEARTBEAT_URL: secrets.heartbeat_url} if secrets.heartbeat_url else {}),
            },
        )
        self._secret(GRAFANA_ADMIN, {"admin-user": "admin", "admin-password": secrets.grafana_admin_password})
        if secrets.grafana_client_secret is not None:
            self._secret(GRAFANA_SINGLE_SIGN_ON, {CLIENT_SECRET: secrets.grafana_client_secret})
        if secrets.web_password is not None:
            self._secret(
                WEB_AUTH,
                {
                    "username": WEB_USER,
                    "password": secrets.web_password,
                    "web-config.yml": secrets.web_password.apply(web_config),
                    # What promtool reads, and what the reloaders do, which take a whole URL only.
                    "client.yml": json.dumps({"basic_auth": {"username": WEB_USER, "password_file": "password"}}),
                    "prometheus-reloader-arguments": secrets.web_password.apply(
                        lambda password: _reload_url(password, 9090)
                    ),
                    "alertmanager-reloader-arguments": secrets.web_password.apply(
                        lambda password: _reload_url(password, 9093)
                    ),
                },
            )
        if secrets.remote_write_password is not None:
            self._secret(REMOTE_WRITE, {"password": secrets.remote_write_password})
        if secrets.backup_password is not None:
            self._secret(BACKUP, {"restic-password": secrets.backup_password})
        self.register_outputs({})

    def _secret(self, name: str, data: dict[str, pulumi.Input[str]]) -> None:
        core.v1.Secret(
            name,
            metadata=metadata(name, "secrets", self._namespace),
            string_data=data,
            opts=pulumi.ResourceOptions(parent=self),
        )


def web_config(password: str) -> str:
    """Return the `web.config.file` of Prometheus and Alertmanager, which asks for `password`.

    The salt comes from the user's name, so that the hash is the same in each run; it must not come from the
    password, which a fast hash of it would give away.
    """
    salt = hashlib.sha256(f"mangakai-monitoring/{WEB_USER}".encode()).digest()[:16]
    standard = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    bcrypts = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    encoded = base64.b64encode(salt).rstrip(b"=").translate(bytes.maketrans(standard, bcrypts))
    digest = bcrypt.hashpw(password.encode(), b"$2b$10$" + encoded).decode()
    return json.dumps({"basic_auth_users": {WEB_USER: digest}})


def _reload_url(password: str, port: int) -> str:
    return f"--reload-url=http://{WEB_USER}:{quote(password, safe='')}@127.0.0.1:{port}/-/reload"
