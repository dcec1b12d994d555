"""The differences of an official chart and its stand-in for the sandbox, and those that are meant."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from operations.manifest_diff import Manifests, fields


@dataclass(frozen=True)
class Difference:
    """A field of an object in which the two charts differ; none where only one of them has the object."""

    object: str
    field: str
    official: Any
    stand_in: Any

    def __str__(self) -> str:
        if not self.field:
            return f"{self.object}: only the {'official chart' if self.official else 'stand-in'} has it"
        if isinstance(self.official, list) and isinstance(self.stand_in, list):
            more = [item for item in self.official if item not in self.stand_in]
            less = [item for item in self.stand_in if item not in self.official]
            if more or less:
                return f"{self.object}: {self.field} has {json.dumps(more)}, in the stand-in instead {json.dumps(less)}"
        return f"{self.object}: {self.field} is {_said(self.official)}, in the stand-in {_said(self.stand_in)}"


def _said(value: Any) -> str:
    return "left out" if value is None else json.dumps(value)


@dataclass(frozen=True)
class Meant:
    """An exception: a field that both charts have, and in which the stand-in may have another value.

    Args:
        object: as `Difference` has it, or a pattern of such ones, with * and ?.
        field: the same.
        reason: why.
    """

    object: str
    field: str
    reason: str

    def covers(self, difference: Difference) -> bool:
        """Return whether this is the exception for `difference`: a field that one of them lacks is none."""
        return (
            None not in (difference.official, difference.stand_in)
            and fnmatchcase(difference.object, self.object)
            and fnmatchcase(difference.field, self.field)
        )


MEANT: Sequence[Meant] = (
    Meant("*", "*metadata.labels.helm.sh/chart", "a stand-in says that it is one: its version ends in +sandbox"),
    Meant(
        "StatefulSet monitoring/grafana *",
        "spec.template.metadata.annotations.checksum/config",
        "a hash of how the chart writes the ConfigMap, its own version with it; what the ConfigMap holds is compared",
    ),
    Meant(
        "StatefulSet monitoring/grafana *",
        "spec.template.metadata.annotations.checksum/sc-dashboard-provider-config",
        "the same, of the ConfigMap with the dashboards' provider",
    ),
)


def differences(official: Manifests, stand_in: Manifests) -> list[Difference]:
    """Return what differs, meant or not; an object that only one of them has is one difference."""
    return [
        Difference(name, field, *values)
        for name in sorted({*official, *stand_in})
        for field, *values in fields(official.get(name), stand_in.get(name))
    ]
