"""The AWS account: what the stack makes in it."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from ..settings.aws import AwsSettings
from ..settings.backups import OtherBucketSettings
from ..settings.foundation import ClusterSettings, ExposureSettings, StorageSettings
from ..settings.metrics import RemoteWriteSettings
from .backup_bucket import BackupBucket, BackupBucketArgs
from .domain import Domain, DomainArgs
from .key import Key, KeyArgs
from .roles import Roles, RolesArgs
from .storage_class import VolumeClass, VolumeClassArgs


@dataclass(frozen=True, kw_only=True)
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
        cluster, keep_data = args.cluster.name, args.storage.keep_data
        key = Key("key", KeyArgs(cluster=cluster, account_id=args.settings.account_id, keep=keep_data), on_aws)
        VolumeClass(
            "volumes",
            VolumeClassArgs(
                storage_class=args.storage.storage_class,
                key_arn=key.arn,
                keep_data=keep_data,
                context=args.cluster.context,
            ),
            pulumi.ResourceOptions(parent=self, providers=[args.provider]),
        )
        bucket = BackupBucket("backup", BackupBucketArgs(cluster=cluster, key_arn=key.arn, keep=keep_data), on_aws)
        roles_args = RolesArgs(
            cluster=args.cluster,
            settings=args.settings,
            bucket_arn=bucket.arn,
            key_arn=key.arn,
            other_bucket=args.other_bucket,
            remote_write=args.remote_write,
        )
        self.backup_bucket = bucket.bucket
        self.role_arns = Roles("roles", roles_args, on_aws).arns
        domain = args.exposure.domain
        self.domain = Domain("domain", DomainArgs(settings=domain, account=account), on_aws) if domain else None
        self.register_outputs({"backupBucket": self.backup_bucket, "roleArns": self.role_arns})
