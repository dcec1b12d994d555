"""Settings of Prometheus, Alertmanager and Grafana."""

from typing import Annotated

from pydantic import Field, model_validator

from .leaves import (
    Bytes,
    Duration,
    Email,
    HostPort,
    Model,
    Quorum,
    Replicas,
    Resources,
    Volume,
    prometheus_bytes,
    sized,
    to_bytes,
)


class PrometheusSettings(Model):
    """Prometheus. Two replicas scrape the same targets; Alertmanager takes their alerts for one."""

    replicas: Replicas = 2
    retention: Duration = "15d"
    retention_size: Bytes = "85GB"
    storage: Volume = "100Gi"
    resources: Resources = sized("500m", "4Gi", "2", "8Gi")

    @model_validator(mode="after")
    def _retention_fits_the_volume(self) -> "PrometheusSettings":
        size = prometheus_bytes(self.retention_size)
        if size > 0.85 * to_bytes(self.storage):
            raise ValueError(
                f"retentionSize {self.retention_size} must be at most 85 % of storage {self.storage}: "
                "the write-ahead log and compaction need the rest, and VolumeFilling warns at 90 %"
            )
        return self


class SmtpSettings(Model):
    """The mail relay (S-040 to S-042); its password is the secret `smtpAuthPassword`."""

    smarthost: HostPort = "smtp.gmail.com:587"
    from_: Annotated[Email, Field(alias="from")] = "alerts@mangakai.com"
    auth_username: str = "alerts@mangakai.com"


class AlertmanagerSettings(Model):
    """Alertmanager. Replicas gossip, so that each notification is sent once; an odd number survives a split best.

    `heartbeat` sends the Watchdog to the secret `heartbeatUrl`, whose service calls somebody when it stops.
    """

    replicas: Quorum = 3
    storage: Volume = "2Gi"
    heartbeat: bool = False
    resources: Resources = sized("50m", "128Mi", "200m", "256Mi")
    smtp: SmtpSettings = SmtpSettings()
    team_email: Email = "team@mangakai.com"
    oncall_email: Email = "oncall@mangakai.com"
    slack_channel: Annotated[
        str, Field(pattern=r"^#[a-z0-9_-]+$", json_schema_extra={"allowed": "a channel such as #alerts"})
    ] = "#alerts-critical"


class GrafanaSettings(Model):
    """Grafana. One replica: dashboards and datasources come from the program, its volume holds users."""

    storage: Volume = "10Gi"
    resources: Resources = sized("100m", "256Mi", "500m", "512Mi")
