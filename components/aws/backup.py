"""Where backups go: a bucket, and the role that a ServiceAccount of the cluster takes to write there."""

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from ..names import MONITORING
from ..settings.platform import AwsSettings

SERVICE_ACCOUNT = "monitoring-backup"


@dataclass(frozen=True)
class BackupArgs:
    """The cluster's name, the account, the key, and whether the bucket outlives `pulumi destroy`."""

    cluster: str
    settings: AwsSettings
    key_arn: pulumi.Input[str]
    keep: bool


class Backup(pulumi.ComponentResource):
    """A versioned bucket encrypted by the key, closed to the public and to plain HTTP, and the role (IRSA)."""

    bucket: pulumi.Output[str]
    role_arn: pulumi.Output[str]

    def __init__(self, name: str, args: BackupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:Backup", name, {}, opts)
        bucket = self._bucket(name, args)
        role = aws.iam.Role(
            name,
            name=f"{args.cluster}-{SERVICE_ACCOUNT}",
            description="Writes the backups of the monitoring stack",
            assume_role_policy=_trust(args.settings),
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.iam.RolePolicy(
            name,
            role=role.id,
            policy=pulumi.Output.json_dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Action": ["s3:ListBucket", "s3:GetBucketLocation"],
                            "Resource": bucket.arn,
                        },
                        {
                            "Effect": "Allow",
                            "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
                            "Resource": pulumi.Output.concat(bucket.arn, "/*"),
                        },
                        {
                            "Effect": "Allow",
                            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                            "Resource": args.key_arn,
                        },
                    ],
                }
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.bucket = bucket.bucket
        self.role_arn = role.arn
        self.register_outputs({"bucket": self.bucket, "roleArn": self.role_arn})

    def _bucket(self, name: str, args: BackupArgs) -> aws.s3.Bucket:
        child = pulumi.ResourceOptions(parent=self, retain_on_delete=args.keep)
        bucket = aws.s3.Bucket(name, bucket_prefix=f"{args.cluster}-monitoring-"[:37], opts=child)
        aws.s3.BucketVersioning(
            name,
            bucket=bucket.id,
            versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            opts=child,
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            name,
            bucket=bucket.id,
            rules=[
                aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
                    apply_server_side_encryption_by_default=(
                        aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
                            sse_algorithm="aws:kms", kms_master_key_id=args.key_arn
                        )
                    ),
                    bucket_key_enabled=True,
                )
            ],
            opts=child,
        )
        closed = aws.s3.BucketPublicAccessBlock(
            name,
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        aws.s3.BucketPolicy(
            name,
            bucket=bucket.id,
            policy=pulumi.Output.json_dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Sid": "TlsOnly",
                            "Effect": "Deny",
                            "Principal": "*",
                            "Action": "s3:*",
                            "Resource": [bucket.arn, pulumi.Output.concat(bucket.arn, "/*")],
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                        }
                    ],
                }
            ),
            # AWS refuses two changes of a bucket's access at once.
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[closed])),
        )
        return bucket


def _trust(settings: AwsSettings) -> str:
    """Return the policy by which only our ServiceAccount takes the role."""
    issuer = settings.oidc_issuer
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Federated": f"arn:aws:iam::{settings.account_id}:oidc-provider/{issuer}"},
                    "Action": "sts:AssumeRoleWithWebIdentity",
                    "Condition": {
                        "StringEquals": {
                            f"{issuer}:sub": f"system:serviceaccount:{MONITORING}:{SERVICE_ACCOUNT}",
                            f"{issuer}:aud": "sts.amazonaws.com",
                        }
                    },
                }
            ],
        }
    )
