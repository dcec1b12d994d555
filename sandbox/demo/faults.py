"""The faults that a demo can switch on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """A fault: what goes wrong, and the alert that tells it."""

    what: str
    alert: str


FAULTS = {
    "errors": Fault("every request fails", "HighErrorRate"),
    "slow": Fault("every request takes 4 s", "HighResponseTime"),
    "backend-down": Fault("no pod of the backend answers", "TargetDown"),
    "redis-down": Fault("Redis does not answer its exporter", "RedisDown"),
    "postgres-full": Fault("97 of 97 connections of PostgreSQL are taken", "PostgreSQLTooManyConnections"),
    "volume-full": Fault("4 % of a volume of Elasticsearch are free", "VolumeFilling"),
}
