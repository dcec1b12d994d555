"""Deploys what the stack needs of AWS."""

from dataclasses import replace

import pulumi

from ..foundation.base import Base


def deploy(base: Base) -> Base:
    """Make the key, the StorageClass, the bucket, the roles and the domain; without an account, nothing."""
    settings = base.settings
    if settings.aws is None:
        return base
    from .account import Aws, AwsArgs  # its SDK takes a second to import

    args = AwsArgs(
        settings=settings.aws,
        cluster=settings.cluster,
        storage=settings.storage,
        exposure=settings.exposure,
        remote_write=settings.prometheus.remote_write,
        other_bucket=settings.backup.other_bucket,
        provider=base.provider,
    )
    account = Aws("aws", args, base.options())
    pulumi.export("backupBucket", account.backup_bucket)
    return replace(base.with_prerequisite(account), account=account)
