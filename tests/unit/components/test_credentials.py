"""A changed secret reaches every program: whatever reads it at its start only is restarted by the same `up`."""

from pathlib import Path
from typing import Any

import pytest

from components.foundation.names import ALERTMANAGER_NOTIFICATIONS, REMOTE_WRITE
from tests.offline import Registered, Run, canary, run
from tests.unit.components.test_workloads import needed

SECRET = "kubernetes:core/v1:Secret"
WORKLOADS = ("kubernetes:apps/v1:Deployment", "kubernetes:helm.sh/v3:Release", "kubernetes:jaegertracing.io/v1:Jaeger")
REMOTE: dict[str, Any] = {"prometheus": {"remoteWrite": {"url": "https://store.example.com", "username": "m"}}}
# How many workloads restart for each.
KEYS = {
    "internalSeed": 8,
    "webPassword": 5,
    "grafanaAdminPassword": 1,
    "kibanaPassword": 0,
    "backupPassword": 3,
    "smtpAuthPassword": 0,
    "slackApiUrl": 0,
    "heartbeatUrl": 0,
    "remoteWritePassword": 0,
}


def takes_it_from_its_files(workload: str, secret: str) -> bool:
    """Return whether a program reads a Secret again by itself: those of Elasticsearch's users too."""
    return (workload, secret) in {("alertmanager", ALERTMANAGER_NOTIFICATIONS), ("prometheus", REMOTE_WRITE)} or (
        secret.startswith(f"{workload}-user-")
    )


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    charts = tmp_path_factory.mktemp("charts")
    return run("prod", charts, REMOTE), charts


@pytest.mark.parametrize(("key", "restarted"), KEYS.items())
def test_a_changed_secret_restarts_what_reads_it_at_its_start(
    production: tuple[Run, Path], key: str, restarted: int
) -> None:
    before, charts = production
    after = run("prod", charts, {**REMOTE, key: f"{canary(key)}-another"})
    inputs = {(one.type, one.name): one.inputs for one in after.resources}
    changed = {(one.type, one.name) for one in before.resources if one.inputs != inputs[one.type, one.name]}
    secrets = {name for type_, name in changed if type_ == SECRET}
    assert secrets, f"no Secret has {key}"
    stale = [
        f"{workload.name} reads {secret.name}"
        for workload in of_programs(before)
        for secret in needed(workload, before)
        if secret.name in secrets
        and (workload.type, workload.name) not in changed
        and not takes_it_from_its_files(workload.name, secret.name)
    ]
    assert stale == []
    assert len([name for type_, name in changed if type_ in WORKLOADS]) == restarted


def of_programs(stack: Run) -> list[Registered]:
    """Return what becomes pods that go on running."""
    return [workload for type_ in WORKLOADS for workload in stack.of_type(type_)]
