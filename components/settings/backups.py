"""Settings of the backups."""

from typing import Annotated

from pydantic import Field

from .types import AS_TEXT, Model


class OtherBucketSettings(Model):
    """The bucket of another stack, and the key that encrypts it: what is restored from there is only read."""

    name: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
            json_schema_extra={"allowed": "the name of a bucket, as `pulumi stack output backupBucket` prints it"},
        ),
        AS_TEXT,
    ]
    key_arn: Annotated[
        str,
        Field(
            pattern=r"^arn:aws:kms:[a-z0-9-]+:\d{12}:key/[a-z0-9-]+$",
            json_schema_extra={"allowed": "the ARN of a KMS key"},
        ),
        AS_TEXT,
    ]


class BackupSettings(Model):
    """Backups to the bucket that `aws` brings: what may be lost is the interval, and 3 hours of metrics more.

    Of the last 24 hours every backup is kept, of each of the last `retention_days` days one. `other_bucket` may be
    restored from.
    """

    interval_hours: Annotated[int, Field(ge=1, le=24)] = 1
    retention_days: Annotated[int, Field(ge=1, le=3650)] = 30
    other_bucket: OtherBucketSettings | None = None
