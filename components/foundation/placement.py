"""The namespace of an area's components, their charts, their storage and their priority."""

from collections.abc import Mapping
from dataclasses import dataclass

from .releases import Charts


@dataclass(frozen=True, kw_only=True)
class Placement:
    """A namespace, the chart archives, and the StorageClass of volumes.

    With `keep_data` the volumes outlive `pulumi destroy`. `priority` is what a pod's spec has of it, and so have the
    values of charts: nothing where a stack has no PriorityClass.
    """

    namespace: str
    charts: Charts
    storage_class: str
    keep_data: bool
    priority: Mapping[str, str]
