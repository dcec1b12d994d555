"""The bucket that backups go to, and the container that makes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from ..settings.backups import BackupSettings
from .names import BACKUP, BACKUP_AGENT
from .pod_security import RESTRICTED

# renovate: datasource=docker depName=python
IMAGE = "python:3.13.9-slim"
# renovate: datasource=docker depName=restic/restic
_RESTIC_IMAGE = "restic/restic:0.18.1"
_PORT = 9112
_PROGRAMS, _TOOLS, _WORK = "/programs", "/tools", "/work"


@dataclass(frozen=True, kw_only=True)
class BackupTarget:
    """The bucket, who may write to it, and how often that is done.

    Args:
        bucket: its name.
        region: its AWS region.
        role_arns: the IAM role of each ServiceAccount that writes there, by ServiceAccount.
        agent_version: a text that changes with the agent's program.
        credentials: a text that changes with the password of the backups.
        settings: interval and retention.
    """

    bucket: pulumi.Input[str]
    region: str
    role_arns: Mapping[str, pulumi.Input[str]]
    agent_version: str
    credentials: pulumi.Input[str]
    settings: BackupSettings

    def annotations(self, service_account: str) -> dict[str, pulumi.Input[str]]:
        """Return what EKS reads on a ServiceAccount to let its pods write to their part of the bucket."""
        return {"eks.amazonaws.com/role-arn": self.role_arns[service_account]}

    def container(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, Any],
        mounts: Sequence[Mapping[str, Any]],
        memory: str,
    ) -> dict[str, Any]:
        """Return the container `backup`.

        Args:
            arguments: of the agent, such as `run prometheus`.
            environment: what it reads beside what all parts share: values, or a `valueFrom`.
            mounts: where the data is.
            memory: how much it may use: what restic needs grows with what it saves.
        """
        shared: dict[str, Any] = {
            "PYTHONPATH": _PROGRAMS,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": f"{_TOOLS}:/usr/local/bin:/usr/bin:/bin",
            "TMPDIR": _WORK,
            "RESTIC_CACHE_DIR": f"{_WORK}/cache",
            "RESTIC_PASSWORD": {"secretKeyRef": {"name": BACKUP, "key": "restic-password"}},
            "AWS_DEFAULT_REGION": self.region,
            "POD_NAME": {"fieldRef": {"fieldPath": "metadata.name"}},
            "BACKUP_BUCKET": self.bucket,
            "BACKUP_STORAGE": pulumi.Output.concat(f"s3:https://s3.{self.region}.amazonaws.com/", self.bucket),
            "BACKUP_WORK": f"{_WORK}/copies",
            "BACKUP_LISTEN": f":{_PORT}",
            "BACKUP_INTERVAL_SECONDS": str(3600 * self.settings.interval_hours),
            "BACKUP_RETENTION_DAYS": str(self.settings.retention_days),
            "BACKUP_PROGRAM": self.agent_version,  # a changed agent restarts its pods
            "BACKUP_CREDENTIALS": self.credentials,  # so does a changed password
        }
        return {
            "name": BACKUP,
            "image": IMAGE,
            # backup_agent/ is mounted as the package `backup`.
            "command": ["python", "-m", "backup", *arguments],
            "env": [_variable(name, value) for name, value in {**shared, **environment}.items()],
            "ports": [{"name": BACKUP, "containerPort": _PORT}],
            "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": memory}},
            "securityContext": RESTRICTED,
            "volumeMounts": [
                {"name": BACKUP_AGENT, "mountPath": f"{_PROGRAMS}/backup", "readOnly": True},
                {"name": "backup-tools", "mountPath": _TOOLS, "readOnly": True},
                {"name": "backup-work", "mountPath": _WORK},
                *mounts,
            ],
        }

    @staticmethod
    def init_container() -> dict[str, Any]:
        """Return the container that brings restic, a single file, into the pod."""
        return {
            "name": "restic",
            "image": _RESTIC_IMAGE,
            "command": ["cp", "/usr/bin/restic", f"{_TOOLS}/restic"],
            "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
            "securityContext": RESTRICTED,
            "volumeMounts": [{"name": "backup-tools", "mountPath": _TOOLS}],
        }

    @staticmethod
    def volumes() -> list[dict[str, Any]]:
        """Return the volumes that both containers mount."""
        return [
            {"name": BACKUP_AGENT, "configMap": {"name": BACKUP_AGENT}},
            {"name": "backup-tools", "emptyDir": {}},
            {"name": "backup-work", "emptyDir": {}},
        ]


def _variable(name: str, value: Any) -> dict[str, Any]:
    return {"name": name, "valueFrom": value} if isinstance(value, dict) else {"name": name, "value": value}
