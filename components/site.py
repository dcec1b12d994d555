"""Where a component is put, and from what."""

from dataclasses import dataclass

from .charts import Charts


@dataclass(frozen=True)
class Site:
    """A namespace, the chart archives, and the StorageClass of volumes.

    With `keep_data` the volumes outlive `pulumi destroy`.
    """

    namespace: str
    charts: Charts
    storage_class: str
    keep_data: bool
