"""What runs beside Prometheus, beside Grafana and in the Deployment `backup`: it saves, tells how that went, restores.

Standard library only, to run in a stock image; what it saves by itself it saves with restic.
"""


class BackupError(Exception):
    """What ends a backup or a restore: one sentence for whoever reads the log."""


class NotServedError(BackupError):
    """A server gave no answer, or one that it cannot serve this now: tried again, it may."""
