"""What becomes of the volumes of a StorageClass that are there, when the class is made anew with another policy."""

# Without it the annotations alone would import the client's models, which takes longer than all else at a start.
from __future__ import annotations

from typing import Any

import pulumi
from kubernetes import client as api
from kubernetes import config

from ..foundation.names import MONITORING


def volumes_follow(context: str) -> pulumi.ResourceHookBinding:
    """Return the hook of a StorageClass that gives its policy to the volumes that are there, before it is made.

    A class decides about the volumes to come only. The hook comes before: where it fails, the next update tries again.

    Args:
        context: of the cluster in the kubeconfig.
    """

    def follow(creation: pulumi.ResourceHookArgs) -> None:
        inputs = creation.new_inputs or {}
        client = config.new_client_from_config(context=context)  # type: ignore[no-untyped-call]
        for name in reclaim(api.CoreV1Api(client), inputs["metadata"]["name"], inputs["reclaimPolicy"]):
            pulumi.log.info(f"volume {name}: its reclaim policy is {inputs['reclaimPolicy']} now")

    return pulumi.ResourceHookBinding(before_create=[pulumi.ResourceHook("volumes-follow", follow)])


def reclaim(core: api.CoreV1Api, storage_class: str, policy: str) -> list[str]:
    """Give the volumes of the stack's claims a reclaim policy, and return the names of those that had another.

    Args:
        core: of the cluster.
        storage_class: the volumes'.
        policy: Retain or Delete.
    """
    volumes: list[Any] = core.list_persistent_volume().items
    others = [
        volume.metadata.name
        for volume in volumes
        if volume.spec.storage_class_name == storage_class
        and volume.status.phase == "Bound"
        and volume.spec.claim_ref.namespace == MONITORING
        and volume.spec.persistent_volume_reclaim_policy != policy
    ]
    for name in others:
        core.patch_persistent_volume(name, {"spec": {"persistentVolumeReclaimPolicy": policy}})
    return others
