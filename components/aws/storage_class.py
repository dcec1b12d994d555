"""The StorageClass of all volumes on EKS, which has no usable default (D-113)."""

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes import storage

from ..foundation.metadata import metadata
from .reclaim import volumes_follow


@dataclass(frozen=True, kw_only=True)
class VolumeClassArgs:
    """The class's name, the key of its volumes, whether they outlive their claims, and the cluster's context."""

    storage_class: str
    key_arn: pulumi.Input[str]
    keep_data: bool
    context: str


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
            # The API server changes neither of a class that is there; volumes do not notice that it is made anew.
            opts=pulumi.ResourceOptions(
                parent=self,
                replace_on_changes=["reclaimPolicy", "parameters"],
                delete_before_replace=True,
                hooks=volumes_follow(args.context),
            ),
        )
        self.register_outputs({})
