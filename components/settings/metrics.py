"""Settings of Prometheus and Alertmanager."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from .types import (
    AS_TEXT,
    Bytes,
    Duration,
    Email,
    HostPort,
    Model,
    Quorum,
    Replicas,
    Resources,
    Text,
    Volume,
    prometheus_bytes,
    sized,
    to_bytes,
)

# A workspace of Amazon Managed Service for Prometheus, also behind a VPC endpoint, and the region that it is in.
_WORKSPACE = re.compile(
    r"https://(?:[^/]+\.)?aps-workspaces(?:-fips)?\.([a-z0-9-]+)\.[^/]+/workspaces/[\w-]+/api/v1/remote_write"
)


def _compiles(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"a regular expression such as up|http_.+ is allowed ({error})") from error
    return value


class RemoteWriteSettings(Model):
    """The way to a long-term store that exists already. Both replicas send, and the store keeps one of the two.

    With `username` it is basic auth, with the secret `remoteWritePassword`; else requests are signed for AWS.

    Args:
        url: where the store takes remote write.
        username: login of the store.
        role_arn: role that Prometheus assumes before it signs, such as one of the workspace's account.
        keep: which metrics are sent; the whole name has to match.
        max_shards: most requests that are under way at once.
    """

    url: Annotated[
        str,
        Field(pattern=r"^https://[^@\s]+$", json_schema_extra={"allowed": "an https:// address without a login"}),
        AS_TEXT,
    ]
    username: Annotated[str, Field(min_length=1), AS_TEXT] | None = None
    role_arn: (
        Annotated[
            str,
            Field(
                pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/\S+$",
                json_schema_extra={"allowed": "the ARN of an IAM role"},
            ),
            AS_TEXT,
        ]
        | None
    ) = None
    # Only what Python and Prometheus read the same way: no escapes, no quantifier after another.
    keep: Annotated[
        str,
        Field(
            pattern=r"^([*+?]?[a-zA-Z0-9_:.|()\[\]^-])+[*+?]?$",
            json_schema_extra={"allowed": "a regular expression of metric names such as up|http_.+"},
        ),
        AfterValidator(_compiles),
        AS_TEXT,
    ] = ".+"
    max_shards: Annotated[int, Field(ge=1, le=1000)] = 50

    @model_validator(mode="after")
    def _one_login(self) -> "RemoteWriteSettings":
        if self.username and (self.role_arn or self.workspace_region):
            signs = "roleArn" if self.role_arn else "a workspace of Amazon Managed Service for Prometheus"
            raise ValueError(f"username is basic auth, and {signs} means signed requests: remove one of them")
        if not (self.username or self.role_arn or self.workspace_region):
            raise ValueError(
                "nothing says how Prometheus logs in: username, with the secret remoteWritePassword, is allowed, "
                "or roleArn, or the whole url of a workspace of Amazon Managed Service for Prometheus: "
                "https://aps-workspaces.<region>.amazonaws.com/workspaces/<id>/api/v1/remote_write"
            )
        return self

    @property
    def workspace_region(self) -> str | None:
        """The region of the workspace that `url` leads to, None where it is another store."""
        found = _WORKSPACE.fullmatch(self.url)
        return found[1] if found else None


class PrometheusSettings(Model):
    """Prometheus. Two replicas scrape the same targets; Alertmanager takes their alerts for one.

    All of the memory that it may use is requested: it needs that while it reads its log, and as targets come.
    """

    replicas: Replicas = 2
    retention: Duration = "15d"
    retention_size: Bytes = "85GB"
    storage: Volume = "100Gi"
    resources: Resources = sized("500m", "8Gi", "2", "8Gi")
    remote_write: RemoteWriteSettings | None = None

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
    auth_username: Text = "alerts@mangakai.com"


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
        str, Field(pattern=r"^#[a-z0-9_-]+$", json_schema_extra={"allowed": "a channel such as #alerts"}), AS_TEXT
    ] = "#alerts-critical"
