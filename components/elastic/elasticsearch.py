"""An Elasticsearch cluster: one holds the logs, another the traces (D-081)."""

from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes import core

from ..foundation.backup_target import BackupTarget
from ..foundation.metadata import metadata
from ..foundation.placement import Placement
from ..settings.elastic import ElasticsearchSettings
from .connection import ElasticsearchConnection, ca_secret, url, user_secret
from .users import ElasticsearchUsers, User, roles_yml


@dataclass(frozen=True, kw_only=True)
class ElasticsearchArgs:
    """The arguments of Elasticsearch.

    Args:
        placement: where it runs.
        settings: version and size.
        users: who logs in, and what they may do.
        backup: where its snapshots go, if anywhere.
    """

    placement: Placement
    settings: ElasticsearchSettings
    users: ElasticsearchUsers
    backup: BackupTarget | None


class Elasticsearch(pulumi.ComponentResource):
    """The Secrets with user and roles, and the Release with the custom resource.

    TLS and logins are on, unlike in the guide (D-078). `connection` is how programs get in.
    """

    connection: ElasticsearchConnection

    def __init__(self, name: str, args: ElasticsearchArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:Elasticsearch", name, {}, opts)
        user = args.users.user
        self.connection = ElasticsearchConnection(
            cluster=name,
            version=args.settings.version,
            url=url(name, args.placement.namespace),
            ca_secret=ca_secret(name),
            username=user.name,
            password=user.password,
            user_secret=user_secret(name, user.name),
            nodes=args.settings.nodes,
        )
        secrets = [
            self._secret(args, f"{name}-roles", {"roles.yml": roles_yml(args.users.roles)}),
            *(self._login(args, each) for each in (user, *args.users.others)),
        ]
        account = self._service_account(args, args.backup) if args.backup else None
        args.placement.charts.release(
            name,
            "eck-elasticsearch",
            args.placement.namespace,
            self._values(args),
            pulumi.ResourceOptions(parent=self, depends_on=[*secrets, *([account] if account else [])]),
        )
        self.register_outputs({"url": self.connection.url})

    def _login(self, args: ElasticsearchArgs, user: User) -> core.v1.Secret:
        login: dict[str, pulumi.Input[str]] = {"username": user.name, "password": user.password, "roles": user.role}
        return self._secret(args, user_secret(self.connection.cluster, user.name), login)

    def _service_account(self, args: ElasticsearchArgs, backup: BackupTarget) -> core.v1.ServiceAccount:
        name = self.connection.cluster
        return core.v1.ServiceAccount(
            name,
            metadata=metadata(name, name, args.placement.namespace, annotations=backup.annotations(name)),
            automount_service_account_token=False,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _secret(self, args: ElasticsearchArgs, name: str, data: dict[str, pulumi.Input[str]]) -> core.v1.Secret:
        return core.v1.Secret(
            name,
            metadata=metadata(name, self.connection.cluster, args.placement.namespace),
            string_data=data,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _values(self, args: ElasticsearchArgs) -> dict[str, Any]:
        settings = args.settings
        resources = settings.resources.manifest(holds_memory=True)
        claim = {
            "metadata": {"name": "elasticsearch-data"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": args.placement.storage_class,
                "resources": {"requests": {"storage": settings.storage}},
            },
        }
        node_set: dict[str, Any] = {
            "name": "default",
            "count": settings.nodes,
            # Without mmap no node needs another vm.max_map_count.
            "config": {"node.store.allow_mmap": False},
            # No securityContext: one of ours would take away the operator's, whose fsGroup makes the volume writable.
            "podTemplate": {
                "spec": {
                    **args.placement.priority,
                    "containers": [{"name": "elasticsearch", "resources": resources}],
                }
            },
            "volumeClaimTemplates": [claim],
        }
        if args.backup:
            node_set["config"]["s3.client.default.region"] = args.backup.region
            _may_write(node_set["podTemplate"]["spec"], self.connection.cluster, args.backup)
        if settings.nodes > 1:
            # Nodes, and the copies of a shard, in different zones.
            node_set["zoneAwareness"] = {"topologyKey": "topology.kubernetes.io/zone"}
        logins = [user_secret(self.connection.cluster, user.name) for user in (args.users.user, *args.users.others)]
        deletion = "DeleteOnScaledownOnly" if args.placement.keep_data else "DeleteOnScaledownAndClusterDeletion"
        return {
            "fullnameOverride": self.connection.cluster,
            "version": settings.version,
            "nodeSets": [node_set],
            "volumeClaimDeletePolicy": deletion,
            "auth": {
                "fileRealm": [{"secretName": secret} for secret in logins],
                "roles": [{"secretName": f"{self.connection.cluster}-roles"}],
            },
        }


def _may_write(pod: dict[str, Any], service_account: str, backup: BackupTarget) -> None:
    """Give a pod the role of its ServiceAccount, with the token where Elasticsearch's S3 client looks for it.

    Source: https://www.elastic.co/docs/deploy-manage/tools/snapshot-and-restore/cloud-on-k8s
    """
    folder = "/usr/share/elasticsearch/config/repository-s3"
    file = "aws-web-identity-token-file"
    token = {"audience": "sts.amazonaws.com", "expirationSeconds": 86400, "path": file}
    pod["serviceAccountName"] = service_account
    pod["containers"][0]["env"] = [
        {"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": f"{folder}/{file}"},
        {"name": "AWS_ROLE_ARN", "value": backup.role_arns[service_account]},
    ]
    pod["containers"][0]["volumeMounts"] = [{"name": "aws-iam-token", "mountPath": folder}]
    pod["volumes"] = [{"name": "aws-iam-token", "projected": {"sources": [{"serviceAccountToken": token}]}}]
