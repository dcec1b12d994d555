"""Who logs in to each Elasticsearch, and what they may do there."""

from dataclasses import dataclass
from typing import Any

import pulumi

from ..settings import Secrets

LOG_INDICES = ["mangakai-logs-*"]
TRACE_INDICES = ["mangakai-jaeger-*"]


@dataclass(frozen=True)
class User:
    """A program that logs in, with the one role that it has."""

    name: str
    password: pulumi.Output[str]
    role: str


@dataclass(frozen=True)
class Access:
    """The user of a cluster, and its roles in the terms of Elasticsearch's roles.yml."""

    user: User
    roles: dict[str, Any]


def logs(secrets: Secrets) -> Access:
    """Return who uses the logs: Grafana reads them, Logstash writes them.

    Args:
        secrets: from which the password comes.
    """
    return Access(
        user=User("grafana", secrets.derive("grafana@mangakai-logs"), "logs_reader"),
        roles={
            "logs_reader": {"indices": [{"names": LOG_INDICES, "privileges": ["read", "view_index_metadata"]}]},
            # The role of the user that ECK gives to Logstash; by itself it may not write indices of this name.
            "eck_logstash_user_role": {
                "cluster": ["monitor", "manage_ilm", "manage_index_templates"],
                "indices": [
                    {"names": LOG_INDICES, "privileges": ["create_index", "write", "manage", "read"]},
                ],
            },
        },
    )


def traces(secrets: Secrets) -> Access:
    """Return who uses the traces: Jaeger, which makes its index templates itself.

    Args:
        secrets: from which the password comes.
    """
    return Access(
        user=User("jaeger", secrets.derive("jaeger@mangakai-traces"), "jaeger"),
        roles={
            "jaeger": {
                "cluster": ["monitor", "manage_index_templates"],
                "indices": [{"names": TRACE_INDICES, "privileges": ["all"]}],
            }
        },
    )
