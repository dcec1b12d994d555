"""What the stack needs of AWS. Imported only where a stack has an AWS account: the SDK is large."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from ..settings.platform import AwsSettings, ClusterSettings, StorageSettings
from .backup import Backup, BackupArgs
from .key import Key, KeyArgs
from .storage_class import VolumeClass, VolumeClassArgs

__all__ = ["Aws", "AwsArgs"]


@dataclass(frozen=True)
class AwsArgs:
    """The account, the cluster in it, its storage, and the provider of that cluster."""

    settings: AwsSettings
    cluster: ClusterSettings
    storage: StorageSettings
    stack: str
    provider: kubernetes.Provider


class Aws(pulumi.ComponentResource):
    """The key, the StorageClass whose volumes it encrypts, and the bucket for backups with the role that writes."""

    backup_bucket: pulumi.Output[str]
    backup_role_arn: pulumi.Output[str]

    def __init__(self, name: str, args: AwsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:Aws", name, {}, opts)
        account = aws.Provider(
            "aws",
            region=args.cluster.region,
            allowed_account_ids=[args.settings.account_id],
            default_tags=aws.ProviderDefaultTagsArgs(
                tags={
                    "project": "mangakai-monitoring",
                    "environment": args.stack,
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
        backup = Backup("backup", BackupArgs(args.cluster.name, args.settings, key.arn, args.storage.keep_data), on_aws)
        self.backup_bucket = backup.bucket
        self.backup_role_arn = backup.role_arn
        self.register_outputs({"backupBucket": self.backup_bucket, "backupRoleArn": self.backup_role_arn})
