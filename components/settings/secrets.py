"""The secrets of a stack: which there are, what each is for, and the command that sets a missing one."""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from .errors import PROJECT

PURPOSES: Mapping[str, str] = {
    "smtpAuthPassword": "password of the mail relay",
    "slackApiUrl": "incoming webhook of the Slack channel for critical alerts",
    "grafanaAdminPassword": "password of Grafana's user admin",
    "webPassword": "password of the user monitoring in front of Prometheus and Alertmanager",
    "remoteWritePassword": "password of prometheus.remoteWrite.username at the long-term store",
    "backupPassword": "password of the backups, without which nobody reads them: keep a copy outside this stack",
    "heartbeatUrl": "address that expects a call a minute, and raises the alarm when none comes",
    "sentryDsn": "DSN of the application's Sentry project; without it no exception goes there",
    "internalSeed": "random text of 32 characters or more, from which passwords between programs are derived",
}

_DSN = re.compile(r"https://[^@/\s]+@[^@/\s]+/(\S+/)?\d+")


@dataclass(frozen=True)
class Secrets:
    """The secrets, as Outputs that Pulumi keeps encrypted; None where the settings need none."""

    smtp_auth_password: pulumi.Output[str]
    slack_api_url: pulumi.Output[str]
    grafana_admin_password: pulumi.Output[str]
    internal_seed: pulumi.Output[str]
    sentry_dsn: pulumi.Output[str] | None
    web_password: pulumi.Output[str] | None
    remote_write_password: pulumi.Output[str] | None
    heartbeat_url: pulumi.Output[str] | None
    backup_password: pulumi.Output[str] | None

    def derive(self, purpose: str) -> pulumi.Output[str]:
        """Return a password between programs, another for each purpose and the same in each run.

        Args:
            purpose: who logs in where, such as `grafana@mangakai-logs`.
        """
        return self.internal_seed.apply(
            lambda seed: hmac.new(seed.encode(), purpose.encode(), hashlib.sha256).hexdigest()
        )


def needed(authentication: bool, heartbeat: bool, remote_login: bool, backups: bool) -> list[str]:
    """Return the keys of the secrets that a stack must have.

    Args:
        authentication: whether Prometheus and Alertmanager ask who is there.
        heartbeat: whether the Watchdog is sent to somebody.
        remote_login: whether Prometheus logs in at a long-term store.
        backups: whether there is a bucket for them.
    """
    wanted = {
        "webPassword": authentication,
        "heartbeatUrl": heartbeat,
        "remoteWritePassword": remote_login,
        "backupPassword": backups,
        "sentryDsn": False,
    }
    return [key for key in PURPOSES if wanted.get(key, True)]


def problems(stack: str, values: Mapping[str, str], keys: Sequence[str]) -> list[str]:
    """Return one line for each secret that is missing, malformed, or lies unencrypted in the stack's file.

    Args:
        stack: the stack's name.
        values: the stack's configuration, by key.
        keys: those that it needs.
    """
    found = []
    for key in PURPOSES:
        command = f"pulumi config set --stack {stack} --secret {key}"
        if not values.get(key):
            if key in keys:
                found.append(f"{key}: missing ({PURPOSES[key]}). Set it: {command}")
        elif not pulumi.runtime.is_config_secret(f"{PROJECT}:{key}"):
            found.append(
                f"{key}: stored in clear text in Pulumi.{stack}.yaml. Change it at its source, then: {command}"
            )
        elif key == "sentryDsn" and not _DSN.fullmatch(values[key]):  # D-127
            found.append(
                f"{key}: no DSN. Allowed is https://<key>@<host>/<number>, as Sentry's project settings show it. "
                f"Set it: {command}"
            )
    return found


def read(keys: Sequence[str]) -> Secrets:
    """Return the secrets of the stack that runs, those of `keys`; `problems` has said that all are there."""
    config = pulumi.Config(PROJECT)
    return Secrets(
        smtp_auth_password=config.require_secret("smtpAuthPassword"),
        slack_api_url=config.require_secret("slackApiUrl"),
        grafana_admin_password=config.require_secret("grafanaAdminPassword"),
        internal_seed=config.require_secret("internalSeed"),
        sentry_dsn=config.get_secret("sentryDsn"),
        web_password=config.require_secret("webPassword") if "webPassword" in keys else None,
        remote_write_password=config.require_secret("remoteWritePassword") if "remoteWritePassword" in keys else None,
        heartbeat_url=config.require_secret("heartbeatUrl") if "heartbeatUrl" in keys else None,
        backup_password=config.require_secret("backupPassword") if "backupPassword" in keys else None,
    )
