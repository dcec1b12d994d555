"""Helm's records: what it keeps of each revision of a release, one Secret each.

All that knows how they look stands here. They are those of Helm 3, on which the provider stands.
"""

import base64
import gzip
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

# What Pulumi calls a release of Helm's.
RELEASE_TYPE = "kubernetes:helm.sh/v3:Release"

DEPLOYED, FAILED, SUPERSEDED, UNINSTALLING = "deployed", "failed", "superseded", "uninstalling"
# What Helm has begun and, where it was killed, never ends.
UNDER_WAY = ("pending-install", "pending-upgrade", "pending-rollback", UNINSTALLING)
# After these Helm upgrades again. After any other, such as "uninstalled", it refuses to.
ENDED = (DEPLOYED, FAILED, SUPERSEDED)


@dataclass(frozen=True)
class Record:
    """What the labels of a record say; `modified` is when its status came, where they say that."""

    release: str
    revision: int
    status: str
    modified: datetime | None

    @property
    def secret(self) -> str:
        """The name of its Secret."""
        return f"sh.helm.release.v1.{self.release}.v{self.revision}"

    def __str__(self) -> str:
        return f"{self.release} v{self.revision} ({self.status})"

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


def content(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what Helm keeps of a revision (chart, values, manifests, …), from the data of its Secret."""
    # Kubernetes encodes what a Secret holds, and Helm has done so before.
    return dict(json.loads(gzip.decompress(base64.b64decode(base64.b64decode(data["release"])))))


def packed(kept: Mapping[str, Any]) -> str:
    """Return what Helm keeps of a revision as the data of its Secret has it: the way back from `content`."""
    return base64.b64encode(base64.b64encode(gzip.compress(json.dumps(kept).encode()))).decode()


def change(data: Mapping[str, Any], status: str, description: str) -> dict[str, Any]:
    """Return what to patch a record's Secret with for another status, which stands in its label and in its data.

    Args:
        data: of the Secret.
        status: the new one.
        description: why, which `helm history` shows.
    """
    changed = content(data)
    changed["info"] = {**changed["info"], "status": status, "description": description}
    labels = {"status": status, "modifiedAt": str(int(time.time()))}
    return {"metadata": {"labels": labels}, "data": {"release": packed(changed)}}
