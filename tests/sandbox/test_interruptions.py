"""Updates that are interrupted, killed or fail: what the next one, or a repair, makes of them."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from kubernetes import client

from operations.repair import RepairError
from sandbox import processes
from sandbox.program_pins import PROVIDER
from tests.sandbox.conftest import Api, Project

STACK = "local"


@pytest.fixture(autouse=True)
def clean(project: Project) -> Iterator[None]:
    project.prepare(STACK)
    yield
    project.repair(STACK)
    project.prepare(STACK)
    project.destroy(STACK)


def begin(project: Project, *arguments: str) -> subprocess.Popen[bytes]:
    """Start the engine in a process group of its own."""
    variables = project.environment(STACK)
    return subprocess.Popen(
        [str(shutil.which("pulumi", path=variables["PATH"])), *arguments, "--non-interactive"],
        cwd=project.folder,
        env=variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def wait_for(what: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float = 120) -> None:
    """Wait until `what` holds, which must be before the process ends."""
    deadline = time.monotonic() + seconds
    while not what():
        assert process.poll() is None, "the update ended before it could be interrupted"
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)


def under_way(api: Api, status: str) -> Callable[[], bool]:
    """Return whether Helm has a record of this status of Prometheus, whose pods take their time to become ready."""
    selector = f"owner=helm,name=prometheus,status={status}"
    return lambda: bool(api.core.list_namespaced_secret("monitoring", label_selector=selector).items)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the engine; its provider goes on."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def crash(process: subprocess.Popen[bytes], project: Project) -> None:
    """Kill the engine and its provider, as a machine does that goes down: a provider might still end what it began."""
    kill(process)
    processes.stop(project.sandbox, PROVIDER.name)


def test_after_an_interrupt_up_alone_converges(project: Project, api: Api) -> None:
    process = begin(project, "up", "--yes", "--skip-preview")
    wait_for(under_way(api, "pending-install"), process)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) != 0
    project.up(STACK)
    assert set(project.up(STACK)) == {"unchanged"}


def test_an_install_that_was_killed_is_repaired(project: Project, api: Api) -> None:
    process = begin(project, "up", "--yes", "--skip-preview")
    wait_for(under_way(api, "pending-install"), process)
    crash(process, project)
    done = project.repair(STACK)
    print("\n" + "\n".join(done))
    assert any(line.startswith("released the lock of") for line in done)
    assert any(line.startswith("cleared the pending operation creating") for line in done)
    assert any("prometheus v1 (pending-install) in monitoring" in line for line in done)
    project.up(STACK)
    assert set(project.up(STACK)) == {"unchanged"}
    assert project.repair(STACK) == []


@pytest.mark.long
def test_an_engine_that_nobody_has_reaped_is_dead(project: Project, api: Api) -> None:
    """As in containers whose first process never does."""
    process = begin(project, "up", "--yes", "--skip-preview")
    wait_for(under_way(api, "pending-install"), process)
    os.killpg(process.pid, signal.SIGKILL)
    time.sleep(1)
    assert f", process {process.pid}" in project.repair(STACK)[0]
    process.wait()
    project.up(STACK)


@pytest.mark.long
def test_the_records_of_somebody_else_stay(project: Project, api: Api) -> None:
    project.up(STACK)
    labels = {"owner": "helm", "name": "theirs", "version": "1", "status": "pending-install"}
    metadata = client.V1ObjectMeta(name="sh.helm.release.v1.theirs.v1", labels=labels)
    api.core.create_namespaced_secret("monitoring", client.V1Secret(metadata=metadata))
    assert project.repair(STACK) == []
    assert api.core.read_namespaced_secret("sh.helm.release.v1.theirs.v1", "monitoring")
    api.core.delete_namespaced_secret("sh.helm.release.v1.theirs.v1", "monitoring")


@pytest.mark.long
def test_an_upgrade_that_was_killed_is_repaired(project: Project, api: Api) -> None:
    project.up(STACK)
    before = len(api.helm_records())
    project.prepare(STACK, prometheus={"retention": "3d"}, grafana={"storage": "1Gi"})
    process = begin(project, "up", "--yes", "--skip-preview")
    wait_for(under_way(api, "pending-upgrade"), process)
    crash(process, project)
    done = project.repair(STACK)
    print("\n" + "\n".join(done))
    assert any("prometheus v2 (pending-upgrade) in monitoring" in line for line in done)
    assert len(api.helm_records()) == before, "a record that was not under way was removed"
    assert project.up(STACK)["updated"] >= 1
    arguments = api.get("/apis/apps/v1/namespaces/monitoring/statefulsets/prometheus")
    assert "--storage.tsdb.retention.time=3d" in str(arguments)


@pytest.mark.long
def test_a_release_that_is_there_and_that_pulumi_does_not_know_of_is_taken_up(project: Project) -> None:
    """Helm had ended, and the engine was killed before it could write that down."""
    project.up(STACK)
    file = project.sandbox.state / ".pulumi" / "stacks" / "mangakai-monitoring" / f"{STACK}.json"
    state = json.loads(file.read_text())
    latest = state["checkpoint"]["latest"]
    (release,) = (each for each in latest["resources"] if each["urn"].endswith("Release::grafana"))
    latest["resources"].remove(release)
    latest["pending_operations"] = [{"resource": release, "type": "creating"}]
    file.write_text(json.dumps(state))
    assert project.repair(STACK) == [
        "cleared the pending operation creating of grafana",
        "removed the Helm record grafana v1 (deployed) in monitoring",
    ]
    assert project.up(STACK)["created"] == 1
    assert set(project.up(STACK)) == {"unchanged"}


@pytest.mark.long
def test_a_provider_that_outlives_its_engine_is_ended(project: Project, api: Api) -> None:
    process = begin(project, "up", "--yes", "--skip-preview")
    wait_for(under_way(api, "pending-install"), process)
    kill(process)
    assert PROVIDER.name in processes.running(project.sandbox)
    project.repair(STACK)
    assert PROVIDER.name not in processes.running(project.sandbox)
    project.up(STACK)


@pytest.mark.long
def test_a_running_update_is_not_repaired(project: Project, api: Api) -> None:
    process = begin(project, "up", "--yes", "--skip-preview")
    wait_for(under_way(api, "pending-install"), process)
    with pytest.raises(RepairError, match=rf"is being updated by process {process.pid}: wait until it ends"):
        project.repair(STACK)
    assert process.wait(timeout=240) == 0


@pytest.mark.requirement("S-123")
def test_a_release_that_cannot_become_ready_says_why(project: Project) -> None:
    # More than any node has: the pod is never scheduled.
    too_much = {"requests": {"cpu": "100", "memory": "512Mi"}}
    project.prepare(STACK, alertmanager={"resources": too_much}, charts={"timeoutSeconds": 15})
    began = time.monotonic()
    done = project.pulumi(STACK, "up", "--yes", "--skip-preview")
    print(f"\nfailed after {time.monotonic() - began:.1f} s")
    assert done.returncode != 0
    assert "pod alertmanager-0: not scheduled: 0/3 nodes are available" in done.stdout
    assert "event Pod/alertmanager-0: FailedScheduling" in done.stdout
    project.prepare(STACK)
    project.up(STACK)
    assert project.previewed(STACK) == []
