"""The workflows of main from end to end: deployed, drift told; each stack on a cluster of its own."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from kubernetes import client, config

from sandbox import cluster, operators, session, stand_ins
from sandbox.build import ensure
from sandbox.environment import install
from sandbox.layout import Sandbox, ports_from
from sandbox.program_pins import ACT, Group, of_groups
from sandbox.stacks import prepare
from tests.github import GitHub
from tests.sandbox.conftest import CANARIES, FIRST_PORT, copy_project
from tests.sandbox.deployment import Deployment

pytestmark = pytest.mark.long

STACKS = ["staging", "prod"]


@pytest.fixture(scope="module")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Sandbox]]:
    ensure([*of_groups(Group.ENGINE, Group.CLUSTER), ACT])
    directory = tmp_path_factory.mktemp("clusters")
    found = {
        stack: Sandbox(directory / stack, ports_from(FIRST_PORT + 20 * number))
        for number, stack in enumerate(STACKS, start=1)
    }
    # One backend has the state of both.
    (directory / "state").mkdir()
    with ExitStack() as ends:
        for stack, sandbox in found.items():
            sandbox.directory.mkdir()
            sandbox.state.symlink_to(directory / "state")
            ends.callback(cluster.remove, sandbox)
            cluster.start(sandbox)
            install(sandbox)
            operators.start(sandbox)
            prepare(sandbox, stack, CANARIES, session.WITHOUT_WEBHOOKS)
        yield found


@pytest.fixture(scope="module")
def actions(clusters: dict[str, Sandbox], github: GitHub, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    directory = tmp_path_factory.mktemp("actions")
    copy_project(directory / "project")
    stand_ins.pack(directory / "charts")
    return Deployment(directory / "project", directory / "stand-ins", clusters, directory / "charts", github)


def test_main_goes_to_staging_and_then_to_production(actions: Deployment) -> None:
    run = actions.run("push")
    assert run.succeeded
    assert run.jobs() == ["tests", "staging", "preview-prod", "prod"]
    assert actions.roles() == [
        "staging: the-role-that-writes",
        "preview-prod: the-role-that-reads",
        "prod: the-role-that-writes",
    ]
    for job in ("preview-prod", "prod"):
        assert "Stack prod, against what is deployed: " in run.of(job)
    for job, stack in {"staging": "staging", "prod": "prod"}.items():
        assert f"Updating ({stack})" in run.of(job)
    assert not any(secret in run.said for secret in CANARIES.values())


def drifts(github: GitHub) -> list[dict[str, Any]]:
    """Return the issues about drift: there are others, on what ends soon."""
    return [one for one in github.items["/issues"] if one["title"].startswith("Drift: ")]


def test_drift_opens_an_issue_and_its_end_closes_it(
    actions: Deployment, github: GitHub, clusters: dict[str, Sandbox]
) -> None:
    connection: client.ApiClient = config.new_client_from_config(str(clusters["prod"].kubeconfig))  # type: ignore[no-untyped-call]
    core, apps = client.CoreV1Api(connection), client.AppsV1Api(connection)
    held: Any = core.read_namespaced_config_map("prometheus-rules", "monitoring")

    apps.patch_namespaced_stateful_set(
        "prometheus", "monitoring", {"spec": {"replicas": 7}}, field_manager="kubectl-edit"
    )
    core.delete_namespaced_config_map("prometheus-rules", "monitoring")
    assert actions.run("schedule").succeeded
    assert actions.roles() == ["drift: the-role-that-reads"] * 2
    (issue,) = drifts(github)
    assert (issue["title"], issue["state"]) == ("Drift: prod is not what Pulumi made", "open")
    refresh, objects = issue["body"].split("### objects")
    assert "- kubernetes:core/v1:ConfigMap: (delete)" in refresh
    assert "ConfigMap monitoring/prometheus-rules (Pulumi)" in objects
    assert "StatefulSet monitoring/prometheus (Release prometheus)\n  spec.replicas, by kubectl-edit" in objects

    apps.patch_namespaced_stateful_set("prometheus", "monitoring", {"spec": {"replicas": 2}})
    held.metadata = {
        "name": "prometheus-rules",
        "labels": held.metadata.labels,
        "annotations": held.metadata.annotations,
    }
    core.create_namespaced_config_map("monitoring", held)
    assert actions.run("schedule").succeeded
    assert [one["state"] for one in drifts(github)] == ["closed"]
