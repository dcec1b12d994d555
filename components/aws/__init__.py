"""What the stack needs of AWS. Imported only where a stack has an AWS account: the SDK is large."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from ..settings.backup import OtherBucketSettings
from ..settings.metrics import RemoteWriteSettings
from ..settings.platform import AwsSettings, ClusterSettings, ExposureSettings, StorageSettings
from .backup import Backup, BackupArgs
from .domain import Domain, DomainArgs
from .key import Key, KeyArgs
from .roles import Roles, RolesArgs
from .storage_class import VolumeClass, VolumeClassArgs

__all__ = ["Aws", "AwsArgs"]


@dataclass(frozen=True)
class AwsArgs:
    """The account, the cluster in it, its storage, the ways in and out of it, another bucket, and its provider."""

    settings: AwsSettings
    cluster: ClusterSettings
    storage: StorageSettings
    exposure: ExposureSettings
    remote_write: RemoteWriteSettings | None
    other_bucket: OtherBucketSettings | None
    provider: kubernetes.Provider


class Aws(pulumi.ComponentResource):
    """The key, the StorageClass whose volumes it encrypts, and the bucket for backups with the roles that write.

    Where the endpoints have a domain, its certificate too.
    """

    backup_bucket: pulumi.Output[str]
    role_arns: dict[str, pulumi.Output[str]]
    domain: Domain | None

    def __init__(self, name: str, args: AwsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:Aws", name, {}, opts)
        account = aws.Provider(
            "aws",
            region=args.cluster.region,
            allowed_account_ids=[args.settings.account_id],
            default_tags=aws.ProviderDefaultTagsArgs(
                tags={
                    "project": "mangakai-monitoring",
                    "environment": pulumi.get_stack(),
                    "managed-by": "pulumi",
                    **args.settings.tags,
                }
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        on_aws = pulumi.ResourceOptions(parent=self, providers=[account])
        key = Key("key", KeyArgs(args.cluster.name, args.settings.account_id, args.storage.keep_data), on_aws)
        VolumeClass(
            "volumes",
            VolumeClassArgs(args.storage.storage_class, key.arn, args.storage.keep_data),
            pulumi.ResourceOptions(parent=self, providers=[args.provider]),
        )
        backup = Backup("backup", BackupArgs(args.cluster.name, key.arn, args.storage.keep_data), on_aws)
        roles_args = RolesArgs(args.cluster, args.settings, backup.arn, key.arn, args.other_bucket, args.remote_write)
        self.backup_bucket = backup.bucket
        self.role_arns = Roles("roles", roles_args, on_aws).arns
        domain = args.exposure.domain
        self.domain = Domain("domain", DomainArgs(domain, account), on_aws) if domain else None
        self.register_outputs({"backupBucket": self.backup_bucket, "roleArns": self.role_arns})
