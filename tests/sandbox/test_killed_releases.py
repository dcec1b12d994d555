"""Helm, killed while it installs, upgrades, rolls back and uninstalls: what a repair and the next update make of it.

One of each kind, with the real one; local/test_repair.py has all of them by records that are written as these are left.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from kubernetes import client

from sandbox import cluster, operators, processes
from tests.sandbox import helm
from tests.sandbox.conftest import Api, Project
from tests.sandbox.killing import STACK, begin, clean, crash, kill, under_way, wait_for
from tests.sandbox.local.test_drift import drift

__all__ = ["clean"]

pytestmark = pytest.mark.long

PODS = "/api/v1/namespaces/monitoring/pods"
STATEFUL_SETS = "/apis/apps/v1/namespaces/monitoring/statefulsets"
ALERTMANAGER = ("--target=**Release::alertmanager", "--target-dependents")


@contextmanager
def kept(api: Api) -> Iterator[None]:
    """Have Alertmanager's StatefulSet stay when it is deleted, as where a finalizer's controller is away."""
    set_finalizers(api, ["mangakai.com/kept"])
    try:
        yield
    finally:
        set_finalizers(api, [])


def set_finalizers(api: Api, finalizers: list[str]) -> None:
    patch = {"metadata": {"finalizers": finalizers}}
    api.apps.patch_namespaced_stateful_set("alertmanager", "monitoring", patch)


def is_ready(api: Api, pod: str) -> bool:
    """Return whether a pod is there and ready."""
    conditions = api.get(f"{PODS}/{pod}").get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def is_what_the_fast_tests_write(api: Api, release: str, status: str) -> None:
    """A Helm that was killed leaves what tests/sandbox/helm.py writes in its place."""
    real = helm.records(api, release)[-1]
    assert real.status == status
    left = api.get(f"/api/v1/namespaces/monitoring/secrets/{real.secret}")
    content = helm.content(api, real)
    assert content["info"]["status"] == status
    api.core.delete_namespaced_secret(real.secret, "monitoring")
    try:
        if status == "uninstalling":
            restore(api, left, {**left["metadata"]["labels"], "status": "deployed"})
            helm.leave(api, release, status)
        else:
            helm.begin(api, release, status)
        ours = api.get(f"/api/v1/namespaces/monitoring/secrets/{real.secret}")
        assert ours["type"] == left["type"]
        assert ours["metadata"]["labels"].keys() == left["metadata"]["labels"].keys()
        assert helm.content(api, real).keys() == content.keys()
        assert helm.content(api, real)["info"]["status"] == status
    finally:
        api.core.delete_namespaced_secret(real.secret, "monitoring")
        restore(api, left, left["metadata"]["labels"])


def restore(api: Api, secret: dict[str, Any], labels: dict[str, str]) -> None:
    """Make a Secret that was there, with other labels."""
    metadata = client.V1ObjectMeta(name=secret["metadata"]["name"], labels=labels)
    api.core.create_namespaced_secret(
        "monitoring", client.V1Secret(metadata=metadata, type=secret["type"], data=secret["data"])
    )


def test_an_upgrade_that_was_killed_is_repaired(project: Project, api: Api) -> None:
    project.up(STACK)
    before = len(api.helm_records())
    project.prepare(STACK, prometheus={"retention": "3d"}, grafana={"storage": "1Gi"})
    process = begin(project, "up", "--yes", "--skip-preview")
    wait_for(under_way(api, "pending-upgrade"), process)
    crash(process, project)
    is_what_the_fast_tests_write(api, "prometheus", "pending-upgrade")
    done = project.repair(STACK)
    print("\n" + "\n".join(done))
    assert "ended the Helm record prometheus v2 (pending-upgrade) in monitoring: failed" in done
    assert len(api.helm_records()) == before + 1, "a record was removed"
    assert project.up(STACK)["updated"] >= 1
    assert drift(project).status == 0
    arguments = api.get("/apis/apps/v1/namespaces/monitoring/statefulsets/prometheus")
    assert "--storage.tsdb.retention.time=3d" in str(arguments)


def test_settings_that_are_set_back_after_a_killed_upgrade_are_brought_back(project: Project, api: Api) -> None:
    """The engine sees no change then: its state has the settings of before."""
    project.up(STACK)
    too_much = {"requests": {"cpu": "100", "memory": "512Mi"}}  # never scheduled
    project.prepare(STACK, prometheus={"resources": too_much}, charts={"timeoutSeconds": 60})
    process = begin(project, "up", "--yes", "--skip-preview")
    wait_for(lambda: not is_ready(api, "prometheus-0"), process)
    crash(process, project)
    project.prepare(STACK)
    print("\n" + "\n".join(project.repair(STACK)))
    print(project.up(STACK))
    assert is_ready(api, "prometheus-0"), "a StatefulSet waits for a pod that never becomes ready"
    assert drift(project).status == 0
    assert set(project.up(STACK)) == {"unchanged"}


def test_an_uninstall_that_was_killed_is_repaired(project: Project, api: Api) -> None:
    project.up(STACK)
    with kept(api):
        process = begin(project, "destroy", "--yes", "--skip-preview", *ALERTMANAGER)
        wait_for(lambda: helm.statuses(api, "alertmanager") == ["uninstalling"], process)
        crash(process, project)
    is_what_the_fast_tests_write(api, "alertmanager", "uninstalling")
    done = project.repair(STACK)
    print("\n" + "\n".join(done))
    assert "ended the Helm record alertmanager v1 (uninstalling) in monitoring: failed" in done
    print(project.up(STACK))
    assert is_ready(api, "alertmanager-0")
    assert drift(project).status == 0


def test_an_uninstall_that_timed_out_is_repaired(project: Project, api: Api) -> None:
    """Helm forgets the Release and calls it an error, so Pulumi keeps it: each further uninstall would fail."""
    project.prepare(STACK, charts={"timeoutSeconds": 15})
    project.up(STACK)
    destroy = ("destroy", "--yes", "--skip-preview", *ALERTMANAGER)
    with kept(api):
        assert "context deadline exceeded" in project.pulumi(STACK, *destroy).stdout
    assert "release: not found" in project.pulumi(STACK, *destroy).stdout
    assert helm.records(api, "alertmanager") == []
    assert drift(project).status == 3
    assert project.repair(STACK) == ["read anew what the cluster has of alertmanager"]
    assert project.pulumi(STACK, *destroy).returncode == 0
    print(project.up(STACK))
    assert is_ready(api, "alertmanager-0")
    assert drift(project).status == 0


def test_an_api_server_that_goes_away_during_an_upgrade_leaves_what_is_repaired(project: Project, api: Api) -> None:
    project.up(STACK)
    project.prepare(STACK, prometheus={"retention": "3d"}, charts={"timeoutSeconds": 30})
    process = begin(project, "up", "--yes", "--skip-preview")
    wait_for(under_way(api, "pending-upgrade"), process)
    processes.stop(project.sandbox, "kube-apiserver")
    assert process.wait(timeout=240) != 0
    cluster.start(project.sandbox)
    operators.start(project.sandbox)
    assert helm.statuses(api, "prometheus") == ["deployed", "pending-upgrade"]
    said = project.pulumi(STACK, "up", "--yes", "--skip-preview").stdout
    assert "make repair STACK=local" in said
    done = project.repair(STACK)
    print("\n" + "\n".join(done))
    assert "ended the Helm record prometheus v2 (pending-upgrade) in monitoring: failed" in done
    print(project.up(STACK))
    assert drift(project).status == 0


def test_a_rollback_that_was_killed_is_repaired(project: Project, api: Api) -> None:
    project.up(STACK)
    project.prepare(STACK, prometheus={"retention": "3d"})
    project.up(STACK)
    variables = project.environment(STACK)
    command = ["helm", "rollback", "prometheus", "1", "--wait", "--namespace", "monitoring"]
    program = shutil.which("helm", path=variables["PATH"])
    process = subprocess.Popen([str(program), *command[1:]], env=variables, start_new_session=True)
    wait_for(under_way(api, "pending-rollback"), process)
    kill(process)
    is_what_the_fast_tests_write(api, "prometheus", "pending-rollback")
    done = project.repair(STACK)
    print("\n" + "\n".join(done))
    assert "ended the Helm record prometheus v3 (pending-rollback) in monitoring: failed" in done
    print(project.up(STACK))
    assert "--storage.tsdb.retention.time=3d" in str(api.get(f"{STATEFUL_SETS}/prometheus"))
    assert drift(project).status == 0
