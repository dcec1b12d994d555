"""Settings of the backups."""

from typing import Annotated

from pydantic import Field

from .leaves import Model


class BackupSettings(Model):
    """Backups to the bucket that `aws` brings: what may be lost is the interval, and 3 hours of metrics more.

    Of the last 24 hours every backup is kept, of each of the last `retention_days` days one.
    """

    interval_hours: Annotated[int, Field(ge=1, le=24)] = 1
    retention_days: Annotated[int, Field(ge=1, le=3650)] = 30
