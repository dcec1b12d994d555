"""Deploys the backups, where there is a bucket for them."""

from dataclasses import replace

from ..elastic.elasticsearch import Elasticsearch
from ..foundation import credentials
from ..foundation.backup_target import BackupTarget
from ..foundation.base import Base
from ..metrics.area import Metrics
from ..traces.area import Traces
from .agent_config_map import AgentConfigMap, version
from .schedule import BackupSchedule, BackupScheduleArgs


def deploy_agent(base: Base) -> Base:
    """Make the ConfigMap with the agent, and set `backup_target`, by which other areas add its container."""
    if base.account is None:
        return base
    target = BackupTarget(
        bucket=base.account.backup_bucket,
        region=base.settings.cluster.region,
        role_arns=base.account.role_arns,
        agent_version=version(),
        credentials=credentials.version(base.secrets.backup_password),
        settings=base.settings.backup,
    )
    return replace(base.with_prerequisite(AgentConfigMap("backup-program", base.options())), backup_target=target)


def deploy(base: Base, metrics: Metrics, logs: Elasticsearch, traces: Traces) -> None:
    """Save Alertmanager's silences, and set up the snapshots of both Elasticsearch clusters."""
    if base.backup_target is None:
        return
    args = BackupScheduleArgs(
        placement=base.monitoring,
        target=base.backup_target,
        connections=[logs.connection, traces.elasticsearch.connection],
        alertmanager=metrics.alertmanager.url,
        authentication=base.settings.exposure.authentication,
        credentials=credentials.annotation(base.secrets.internal_seed, base.secrets.web_password),
    )
    BackupSchedule("backup", args, base.options(metrics.alertmanager, logs, traces.elasticsearch))
