"""The StorageClass of all volumes on EKS, which has no usable default (D-113)."""

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes import storage

from ..foundation.metadata import metadata


@dataclass(frozen=True, kw_only=True)
class VolumeClassArgs:
    """The class's name, the key that encrypts its volumes, and whether they outlive their claims."""

    storage_class: str
    key_arn: pulumi.Input[str]
    keep_data: bool


class VolumeClass(pulumi.ComponentResource):
    """Encrypted gp3 volumes, made in the zone of the pod that asks, and growable."""

    def __init__(self, name: str, args: VolumeClassArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:VolumeClass", name, {}, opts)
        storage.v1.StorageClass(
            args.storage_class,
            metadata=metadata(args.storage_class, "storage"),
            provisioner="ebs.csi.aws.com",
            parameters={"type": "gp3", "encrypted": "true", "kmsKeyId": args.key_arn},
            reclaim_policy="Retain" if args.keep_data else "Delete",
            volume_binding_mode="WaitForFirstConsumer",
            allow_volume_expansion=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
