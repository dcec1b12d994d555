"""The namespace of an area's components, their charts and their storage."""

from dataclasses import dataclass

from .releases import Charts


@dataclass(frozen=True, kw_only=True)
class Placement:
    """A namespace, the chart archives, and the StorageClass of volumes.

    With `keep_data` the volumes outlive `pulumi destroy`.
    """

    namespace: str
    charts: Charts
    storage_class: str
    keep_data: bool
