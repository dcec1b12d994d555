"""What settings want of volumes that are there and that no volume can become: known before anything is registered.

The API server refuses it in the middle of an update, and Elastic's operator after it and without a word.
"""

from typing import Any

import pulumi
from kubernetes import client as api

from ..settings import Settings
from ..settings.types import to_bytes
from .cluster_reader import NotAllowedError, read
from .names import MONITORING
from .ownership import PART_OF
from .volumes import Volumes, claimed, volumes

_PAGE = "docs/changes.md"


def impossible(settings: Settings, client: api.ApiClient) -> list[str]:
    """Return a line for each thing that the volumes of the stack cannot become, with the way out.

    Raises:
        HTTPError: the cluster does not answer, or not to this user.
    """
    try:
        storage_class = read(client, f"/apis/storage.k8s.io/v1/storageclasses/{settings.storage.storage_class}")
        listed = read(client, f"/apis/apps/v1/namespaces/{MONITORING}/statefulsets") or {"items": []}
    except NotAllowedError as error:
        pulumi.log.warn(f"whether the volumes can become what the settings say cannot be told: {error}")
        return []
    found = {item["metadata"]["name"]: item for item in listed["items"]}
    claims = [(each, *claimed(found[each.stateful_set])) for each in volumes(settings) if each.stateful_set in found]
    grows = storage_class is None or bool(storage_class.get("allowVolumeExpansion"))
    return [
        *_without_its_class(settings, storage_class),
        *_moved(settings.storage.storage_class, claims),
        *(line for each, size, _ in claims if (line := _resized(each, size, grows))),
    ]


def _without_its_class(settings: Settings, storage_class: dict[str, Any] | None) -> list[str]:
    labels = (storage_class or {}).get("metadata", {}).get("labels") or {}
    if settings.aws or not PART_OF.items() <= labels.items():
        return []
    name = settings.storage.storage_class
    return [f"aws: StorageClass {name!r} is this stack's own, and would go with it: set aws again ({_PAGE})"]


def _moved(wanted: str, claims: list[tuple[Volumes, str, str]]) -> list[str]:
    classes = {name for _, _, name in claims if name != wanted}
    return [
        f"storage.storageClass: {wanted!r}, and the volumes of "
        f"{', '.join(each.stateful_set for each, _, has in claims if has == name)} are of {name!r}, "
        f"which they stay for life: set {name!r} again ({_PAGE})"
        for name in sorted(classes)
    ]


def _resized(wanted: Volumes, size: str, grows: bool) -> str:
    if to_bytes(wanted.size) == to_bytes(size):
        return ""
    head = f"{wanted.setting}: {wanted.size}, and the volumes of {wanted.stateful_set} have {size}"
    if to_bytes(wanted.size) < to_bytes(size):
        return f"{head}: a volume never gets smaller: set {size} again ({_PAGE})"
    if not grows:
        return f"{head}: their StorageClass lets none grow (allowVolumeExpansion): set {size} again ({_PAGE})"
    if wanted.operated:
        return ""
    return f"{head}: make grow STACK={pulumi.get_stack()}, then once more ({_PAGE})"
