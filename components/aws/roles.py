"""The roles (IRSA) by which the workloads that write backups reach the bucket, each under a prefix of its own."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from ..foundation.names import BACKUP_PARTS, MONITORING
from ..settings.aws import AwsSettings
from ..settings.backups import OtherBucketSettings
from ..settings.foundation import ClusterSettings
from ..settings.metrics import RemoteWriteSettings

# Elasticsearch aborts the uploads that it left unfinished; restic leaves them to the bucket's lifecycle.
_LISTS_UPLOADS = {"mangakai-logs", "mangakai-traces"}


@dataclass(frozen=True, kw_only=True)
class RolesArgs:
    """The cluster and its account, the bucket and the key of the backups, another one to restore from, if any.

    And where Prometheus writes to.
    """

    cluster: ClusterSettings
    settings: AwsSettings
    bucket_arn: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    other_bucket: OtherBucketSettings | None
    remote_write: RemoteWriteSettings | None


class Roles(pulumi.ComponentResource):
    """The IAM roles of BACKUP_PARTS: each can be taken by the ServiceAccount of its part only."""

    arns: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, args: RolesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:Roles", name, {}, opts)
        self.arns = {part: self._role(part, args) for part in BACKUP_PARTS}
        self.register_outputs({"arns": self.arns})

    def _role(self, part: str, args: RolesArgs) -> pulumi.Output[str]:
        child = pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(
            part,
            name=role_name(args.cluster.name, part),
            description=f"What {part} of the monitoring stack may do in AWS",
            assume_role_policy=_trust(args.settings, part),
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(ignore_changes=["name"])),
        )
        statements = pulumi.Output.all(args.bucket_arn, args.key_arn).apply(
            lambda arns: (
                backup_statements(part, args.cluster.region, *arns)
                + restore_statements(part, args.cluster.region, args.other_bucket)
                + (remote_write_statements(args.settings.account_id, args.remote_write) if part == "prometheus" else [])
            )
        )
        policy = pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": statements})
        aws.iam.RolePolicy(part, role=role.id, policy=policy, opts=child)
        return role.arn


def role_name(cluster: str, part: str) -> str:
    """Return `<cluster>-monitoring-<part>`, its cluster cut where that is over IAM's 64 characters.

    A hash then keeps clusters apart whose names begin alike.
    """
    suffix = f"-monitoring-{part}"
    if len(cluster + suffix) > 64:
        suffix = f"-{hashlib.sha256(cluster.encode()).hexdigest()[:8]}{suffix}"
    return cluster[: 64 - len(suffix)] + suffix


def _trust(settings: AwsSettings, part: str) -> str:
    """Return the policy by which only the part's own ServiceAccount takes the role."""
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
                            f"{issuer}:sub": f"system:serviceaccount:{MONITORING}:{part}",
                            f"{issuer}:aud": "sts.amazonaws.com",
                        }
                    },
                }
            ],
        }
    )


def backup_statements(part: str, region: str, bucket: str, key: str) -> list[dict[str, Any]]:
    """Return what restic and Elasticsearch's repository-s3 need, and nothing outside of the part's prefix.

    Versions cannot be deleted: what a stolen role deletes or overwrites is there for as long as the lifecycle keeps it.
    """
    on_bucket = ["s3:GetBucketLocation", *(["s3:ListBucketMultipartUploads"] if part in _LISTS_UPLOADS else [])]
    on_objects = ["AbortMultipartUpload", "DeleteObject", "GetObject", "ListMultipartUploadParts", "PutObject"]
    own = _Rights("", on_bucket, [f"s3:{action}" for action in on_objects], ["kms:Decrypt", "kms:GenerateDataKey"])
    return _statements(own, part, region, bucket, key)


def restore_statements(part: str, region: str, other: OtherBucketSettings | None) -> list[dict[str, Any]]:
    """Return what reading the part's prefix of another stack's bucket needs."""
    if other is None:
        return []
    reading = _Rights("Other", ["s3:GetBucketLocation"], ["s3:GetObject"], ["kms:Decrypt"])
    return _statements(reading, part, region, f"arn:aws:s3:::{other.name}", other.key_arn)


@dataclass(frozen=True)
class _Rights:
    """The rights of a part on a bucket, its objects and their key; `names` begins the names of the statements."""

    names: str
    on_bucket: list[str]
    on_objects: list[str]
    on_key: list[str]


def _statements(rights: _Rights, part: str, region: str, bucket: str, key: str) -> list[dict[str, Any]]:
    return [
        # Restic and Elasticsearch tell no s3:prefix here: with that condition this would allow nothing.
        {"Sid": f"{rights.names}Bucket", "Effect": "Allow", "Action": rights.on_bucket, "Resource": bucket},
        {
            # S3 also asks this of whoever reads an object that is not there, and answers 403 instead of 404 without.
            "Sid": f"{rights.names}List",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": bucket,
            "Condition": {"StringLike": {"s3:prefix": [part, f"{part}/*"]}},
        },
        {
            "Sid": f"{rights.names}Objects",
            "Effect": "Allow",
            "Action": rights.on_objects,
            "Resource": f"{bucket}/{part}/*",
        },
        {
            "Sid": f"{rights.names}KeyThroughS3",
            "Effect": "Allow",
            "Action": rights.on_key,
            "Resource": key,
            "Condition": {"StringEquals": {"kms:ViaService": f"s3.{region}.amazonaws.com"}},
        },
    ]


def remote_write_statements(account: str, target: RemoteWriteSettings | None) -> list[dict[str, Any]]:
    """Return what a store asks of us that knows us by our role: a role that we take, or a workspace of AWS."""
    if target is None or target.username:
        return []
    if target.role_arn:
        action, resource = "sts:AssumeRole", target.role_arn
    else:
        workspace = target.url.partition("/workspaces/")[2].partition("/")[0]
        action, resource = "aps:RemoteWrite", f"arn:aws:aps:{target.workspace_region}:{account}:workspace/{workspace}"
    return [{"Sid": "RemoteWrite", "Effect": "Allow", "Action": action, "Resource": resource}]
