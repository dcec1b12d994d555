"""Deploys the backups, where there is a bucket for them."""

from dataclasses import replace

from ..elastic.elasticsearch import Elasticsearch
from ..foundation.base import Base
from ..metrics.area import Metrics
from ..traces.area import Traces
from .agent import BackupProgram
from .schedule import Backups, BackupsArgs
from .target import Target


def deploy_agent(base: Base) -> Base:
    """Make the ConfigMap with the agent, which runs beside what it saves."""
    if base.account is None:
        return base
    target = Target(
        bucket=base.account.backup_bucket,
        region=base.settings.cluster.region,
        role_arns=base.account.role_arns,
        settings=base.settings.backup,
    )
    return replace(base.requiring(BackupProgram("backup-program", base.options())), backup_target=target)


def deploy(base: Base, metrics: Metrics, logs: Elasticsearch, traces: Traces) -> None:
    """Save Alertmanager's silences, and have both Elasticsearch clusters save themselves."""
    if base.backup_target is None:
        return
    args = BackupsArgs(
        placement=base.monitoring,
        target=base.backup_target,
        stores=[logs.store, traces.elasticsearch.store],
        alertmanager=metrics.alertmanager.url,
        authentication=base.settings.exposure.authentication,
    )
    Backups("backup", args, base.options(metrics.alertmanager, logs, traces.elasticsearch))
