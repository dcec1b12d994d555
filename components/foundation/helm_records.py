"""Helm's records: what it keeps of each revision of a release, one Secret each.

All that knows how they look stands here. They are those of Helm 3, on which the provider stands.
"""

import base64
import gzip
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

# What Pulumi calls a release of Helm's.
RELEASE_TYPE = "kubernetes:helm.sh/v3:Release"

DEPLOYED, FAILED, UNINSTALLING = "deployed", "failed", "uninstalling"
# What Helm has begun and, where it was killed, never ends.
UNDER_WAY = ("pending-install", "pending-upgrade", "pending-rollback")


@dataclass(frozen=True)
class Record:
    """What the labels of a record say; `modified` is when its status came, where they say that."""

    release: str
    revision: int
    status: str
    modified: datetime | None

    @classmethod
    def of(cls, labels: Mapping[str, str]) -> Self:
        """Return what the labels of a record's Secret say."""
        modified = datetime.fromtimestamp(int(labels["modifiedAt"]), UTC) if "modifiedAt" in labels else None
        return cls(labels["name"], int(labels["version"]), labels["status"], modified)


def selector(releases: Iterable[str] = (), statuses: Iterable[str] = ()) -> str:
    """Return the label selector of the records of these releases with these statuses; of all where none are given."""
    wanted = {"name": ", ".join(releases), "status": ", ".join(statuses)}
    return ",".join(["owner=helm", *(f"{label} in ({values})" for label, values in wanted.items() if values)])


def latest(records: Iterable[Record]) -> dict[str, Record]:
    """Return the last record of each release."""
    return {one.release: one for one in sorted(records, key=lambda one: one.revision)}


def manifest(data: Mapping[str, Any]) -> str:
    """Return the manifests of a revision, from the data of its Secret."""
    # Kubernetes encodes what a Secret holds, and Helm has done so before.
    packed = base64.b64decode(base64.b64decode(data["release"]))
    return str(json.loads(gzip.decompress(packed))["manifest"])
