"""The users of each Elasticsearch cluster, and their roles."""

import json
from dataclasses import dataclass
from typing import Any

import pulumi
import yaml

from ..foundation.names import BACKUP, KIBANA_SPACE, WEB_USER
from ..settings import Secrets

LOG_ALIAS = "mangakai-logs"
LOG_INDICES = ["mangakai-logs-*"]
TRACE_INDICES = ["mangakai-jaeger-*"]
TRACE_PRIVILEGES = ["auto_configure", "index", "read", "view_index_metadata", "delete_index"]
CREATE_ONLY = ["indices:data/write/bulk*", "indices:data/write/index:op_type/create", "view_index_metadata"]
METRICS = "metrics"
PEOPLE = "people"
# The applications of Kibana, as its features are called in roles:
# https://github.com/elastic/kibana/blob/v9.5.3/x-pack/platform/plugins/shared/features/server/oss_features.ts
KIBANA_FEATURES = ("discover_v2", "dashboard_v2", "visualize_v2", "savedQueryManagement")


@dataclass(frozen=True)
class User:
    """Who logs in, with the one role that it has."""

    name: str
    password: pulumi.Output[str]
    role: str


@dataclass(frozen=True)
class ElasticsearchUsers:
    """The users of a cluster, and its roles in the terms of Elasticsearch's roles.yml.

    Args:
        user: that reads, and in the case of Jaeger writes too.
        roles: by name.
        others: who else logs in.
    """

    user: User
    roles: dict[str, Any]
    others: tuple[User, ...] = ()


def roles_yml(roles: dict[str, Any]) -> str:
    """Return roles.yml, without YAML's aliases: Elasticsearch takes them for names, and says nothing."""
    return yaml.safe_dump(json.loads(json.dumps(roles)), sort_keys=False)


def users_of_logs(secrets: Secrets) -> ElasticsearchUsers:
    """Return who uses the logs: Grafana and people read them, Logstash writes them, backups are made, metrics read.

    Args:
        secrets: from which the passwords come.
    """
    return ElasticsearchUsers(
        user=User("grafana", secrets.derive("grafana@mangakai-logs"), "logs_reader"),
        roles={
            # Grafana's health check asks for the cluster's.
            "logs_reader": {
                "cluster": ["monitor"],
                "indices": [{"names": LOG_INDICES, "privileges": ["read", "view_index_metadata"]}],
            },
            # What the set-up has made: neither another index nor another mapping comes from a log line. The latter is
            # what `create_doc` would allow.
            "logs_writer": {
                "cluster": ["monitor"],
                "indices": [{"names": [LOG_ALIAS, *LOG_INDICES], "privileges": CREATE_ONLY}],
            },
            BACKUP: _backup_role(LOG_INDICES),
            METRICS: {"cluster": ["monitor"]},
            PEOPLE: {
                "indices": [{"names": LOG_INDICES, "privileges": ["read", "view_index_metadata"]}],
                "applications": [_in_kibana("default", "read"), _in_kibana(KIBANA_SPACE, "all")],
            },
        },
        others=(
            User(WEB_USER, secrets.kibana_password, PEOPLE),
            User("logstash", secrets.derive("logstash@mangakai-logs"), "logs_writer"),
            *(_user(secrets, role, "logs") for role in (BACKUP, METRICS)),
        ),
    )


def users_of_traces(secrets: Secrets) -> ElasticsearchUsers:
    """Return who uses the traces: Jaeger, which makes its index templates and the indices of each day itself.

    Jaeger's role holds what its collector, its query service and its index cleaner send, and nothing else.

    Args:
        secrets: from which the password comes.
    """
    return ElasticsearchUsers(
        user=User("jaeger", secrets.derive("jaeger@mangakai-traces"), "jaeger"),
        roles={
            "jaeger": {
                "cluster": ["monitor", "manage_index_templates"],
                "indices": [{"names": TRACE_INDICES, "privileges": TRACE_PRIVILEGES}],
            },
            BACKUP: _backup_role(TRACE_INDICES),
            METRICS: {"cluster": ["monitor"]},
        },
        others=tuple(_user(secrets, role, "traces") for role in (BACKUP, METRICS)),
    )


def _user(secrets: Secrets, role: str, what: str) -> User:
    """Return a user that is called like its role."""
    return User(role, secrets.derive(f"{role}@mangakai-{what}"), role)


def _in_kibana(space: str, level: str) -> dict[str, Any]:
    """Return the right to read, or to make, searches and dashboards in a space of Kibana, as Kibana stores it."""
    privileges = [f"feature_{feature}.{level}" for feature in KIBANA_FEATURES]
    return {"application": "kibana-.kibana", "privileges": privileges, "resources": [f"space:{space}"]}


def _backup_role(indices: list[str]) -> dict[str, Any]:
    """Return the right to start, find and restore snapshots, and to close an index that is to be overwritten."""
    return {
        "cluster": ["monitor", "manage_slm", "cluster:admin/snapshot/*", "cluster:admin/repository/*"],
        "indices": [{"names": indices, "privileges": ["monitor", "manage"]}],
    }
