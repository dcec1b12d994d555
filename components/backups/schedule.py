"""A Deployment that saves silences and watches Elasticsearch's snapshots, and the Job that sets the snapshots up."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes import apps, batch, core

from ..elastic.connection import ElasticsearchConnection, ca_secret, user_secret
from ..foundation.backup_target import BackupTarget
from ..foundation.metadata import metadata
from ..foundation.names import BACKUP, WEB_AUTH, WEB_USER
from ..foundation.placement import Placement
from ..foundation.pod_security import AS_NOBODY
from ..foundation.set_up_job import set_up_job

_CERTIFICATES = "/certificates"


@dataclass(frozen=True, kw_only=True)
class BackupScheduleArgs:
    """The arguments of BackupSchedule.

    Args:
        placement: where it runs.
        target: where it goes.
        connections: the Elasticsearch clusters.
        alertmanager: URL, in the cluster.
        authentication: whether Alertmanager asks for a password.
        credentials: the annotation that changes with its passwords.
    """

    placement: Placement
    target: BackupTarget
    connections: Sequence[ElasticsearchConnection]
    alertmanager: str
    authentication: bool
    credentials: Mapping[str, pulumi.Input[str]]


class BackupSchedule(pulumi.ComponentResource):
    """The Job that sets up Elasticsearch's snapshots, then the Deployment; both run the same program."""

    def __init__(self, name: str, args: BackupScheduleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:Backups", name, {}, opts)
        account = core.v1.ServiceAccount(
            BACKUP,
            metadata=metadata(BACKUP, BACKUP, args.placement.namespace, annotations=args.target.annotations(BACKUP)),
            automount_service_account_token=False,
            opts=pulumi.ResourceOptions(parent=self),
        )
        clusters = [connection.cluster for connection in args.connections]
        owner = _connections(args.connections, "elastic")
        set_up = self._job(args, args.target.container(["set-up", *clusters], owner, _MOUNTS, "128Mi"), account)
        environment: dict[str, Any] = {**_connections(args.connections, BACKUP), "ALERTMANAGER_URL": args.alertmanager}
        if args.authentication:
            environment["WEB_PASSWORD"] = {"secretKeyRef": {"name": WEB_AUTH, "key": "password"}}
            environment["WEB_LOGIN"] = f"{WEB_USER}:$(WEB_PASSWORD)"
        container = args.target.container(["run", "alertmanager", *clusters], environment, _MOUNTS, "512Mi")
        labels = {"app.kubernetes.io/name": BACKUP}
        apps.v1.Deployment(
            BACKUP,
            metadata=metadata(BACKUP, BACKUP, args.placement.namespace),
            spec={
                "replicas": 1,
                "strategy": {"type": "Recreate"},
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels, "annotations": args.credentials},
                    "spec": {**_pod(args, container), **args.placement.priority},
                },
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[account, set_up]),
        )
        self.register_outputs({})

    def _job(self, args: BackupScheduleArgs, container: dict[str, Any], account: pulumi.Resource) -> batch.v1.Job:
        name = pulumi.Output.json_dumps(container).apply(
            lambda text: f"backup-set-up-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
        )
        return set_up_job(
            "backup-set-up",
            name,
            BACKUP,
            args.placement.namespace,
            _pod(args, container),
            args.placement.charts.timeout_seconds,
            pulumi.ResourceOptions(parent=self, depends_on=[account]),
        )


_MOUNTS = [{"name": "certificates", "mountPath": _CERTIFICATES, "readOnly": True}]


def _connections(connections: Sequence[ElasticsearchConnection], user: str) -> dict[str, Any]:
    """Return how the program reaches the Elasticsearch clusters as `user`."""
    environment: dict[str, Any] = {}
    for connection in connections:
        prefix = connection.cluster.upper().replace("-", "_")
        secret = {"name": user_secret(connection.cluster, user), "key": "password"}
        if user == "elastic":
            secret = {"name": f"{connection.cluster}-es-elastic-user", "key": "elastic"}
        environment |= {
            f"{prefix}_URL": connection.url,
            f"{prefix}_AUTHORITY": f"{_CERTIFICATES}/{connection.cluster}.crt",
            f"{prefix}_PASSWORD": {"secretKeyRef": secret},
            f"{prefix}_LOGIN": f"{user}:$({prefix}_PASSWORD)",
        }
    return environment


def _pod(args: BackupScheduleArgs, container: dict[str, Any]) -> dict[str, Any]:
    certificates = [
        {"secret": {"name": ca_secret(cluster), "items": [{"key": "ca.crt", "path": f"{cluster}.crt"}]}}
        for cluster in (connection.cluster for connection in args.connections)
    ]
    return {
        # By it restic knows its own lock again in the next pod, and need not wait until it is old.
        "hostname": BACKUP,
        "serviceAccountName": BACKUP,
        "automountServiceAccountToken": False,
        "securityContext": AS_NOBODY,
        "initContainers": [args.target.init_container()],
        "containers": [container],
        "volumes": [*args.target.volumes(), {"name": "certificates", "projected": {"sources": certificates}}],
    }
