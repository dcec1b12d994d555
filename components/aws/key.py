"""The KMS key of volumes and backups."""

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws


@dataclass(frozen=True, kw_only=True)
class KeyArgs:
    """The cluster's name, the account, and whether the key outlives `pulumi destroy`, as the data it encrypts does."""

    cluster: str
    account_id: str
    keep: bool


class Key(pulumi.ComponentResource):
    """A customer-managed key, rotated each year, and its alias."""

    arn: pulumi.Output[str]

    def __init__(self, name: str, args: KeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:Key", name, {}, opts)
        key = aws.kms.Key(
            name,
            description=f"Monitoring of {args.cluster}: volumes and backups",
            enable_key_rotation=True,
            deletion_window_in_days=30,
            policy=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Sid": "AccountByIam",
                            "Effect": "Allow",
                            "Principal": {"AWS": f"arn:aws:iam::{args.account_id}:root"},
                            "Action": "kms:*",
                            "Resource": "*",
                        }
                    ],
                }
            ),
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=args.keep),
        )
        aws.kms.Alias(
            name,
            name=f"alias/{args.cluster}-monitoring",
            target_key_id=key.id,
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["name"]),
        )
        self.arn = key.arn
        self.register_outputs({"arn": self.arn})
