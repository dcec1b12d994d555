"""Updates that are interrupted, killed or fail: what the next one, or a repair, makes of them."""

import json
import os
import signal
import time

import pytest
from kubernetes import client

from operations.repair import RepairError
from sandbox import processes
from sandbox.program_pins import PROVIDER
from tests.sandbox.conftest import Api, Project
from tests.sandbox.killing import STACK, begin, clean, crash, kill, under_way, wait_for
from tests.sandbox.local.test_changes import verb
from tests.sandbox.local.test_drift import drift

__all__ = ["clean"]

RULES = "/api/v1/namespaces/monitoring/configmaps/prometheus-rules"
PODS = "/api/v1/namespaces/monitoring/pods"
STATEFUL_SETS = "/apis/apps/v1/namespaces/monitoring/statefulsets"


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
@pytest.mark.parametrize("operation", ["updating", "deleting"])
def test_an_object_that_was_being_changed_or_removed_is_read_anew(project: Project, api: Api, operation: str) -> None:
    """The engine was killed when the API server had done it, and the state has what was before."""
    project.up(STACK)
    file = project.sandbox.state / ".pulumi" / "stacks" / "mangakai-monitoring" / f"{STACK}.json"
    state = json.loads(file.read_text())
    latest = state["checkpoint"]["latest"]
    (rules,) = (each for each in latest["resources"] if each["urn"].endswith("ConfigMap::prometheus-rules"))
    latest["pending_operations"] = [{"resource": rules, "type": operation}]
    file.write_text(json.dumps(state))
    before = api.config_map("prometheus-rules")
    if operation == "deleting":
        api.core.delete_namespaced_config_map("prometheus-rules", "monitoring")
    else:
        # As the provider writes it.
        (manager,) = api.get(RULES)["metadata"]["managedFields"]
        body = api.core.read_namespaced_config_map("prometheus-rules", "monitoring")
        body.data = dict.fromkeys(before, "groups: []")
        api.core.replace_namespaced_config_map("prometheus-rules", "monitoring", body, field_manager=manager["manager"])
    assert project.repair(STACK) == [
        f"cleared the pending operation {operation} of prometheus-rules",
        "read anew what the cluster has of prometheus-rules",
    ]
    print(project.up(STACK))
    assert api.config_map("prometheus-rules") == before
    assert drift(project).status == 0


@pytest.mark.long
def test_a_growth_that_was_killed_between_two_statefulsets_ends_with_the_next_up(project: Project, api: Api) -> None:
    """The StatefulSet is removed, its pods go on, and the one with larger claims is not made yet."""
    project.up(STACK)
    pod = api.get(f"{PODS}/alertmanager-0")["metadata"]["uid"]
    api.core.patch_namespaced_persistent_volume_claim(
        "storage-alertmanager-0", "monitoring", {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    )
    api.apps.delete_namespaced_stateful_set("alertmanager", "monitoring", propagation_policy="Orphan")
    project.prepare(STACK, alertmanager={"storage": "2Gi"})
    said = verb(project, "grow")
    assert "alertmanager.storage: there is no StatefulSet alertmanager; where make grow was interrupted, " in said
    assert project.repair(STACK) == []
    print(project.up(STACK))
    (template,) = api.get(f"{STATEFUL_SETS}/alertmanager")["spec"]["volumeClaimTemplates"]
    assert template["spec"]["resources"]["requests"]["storage"] == "2Gi"
    assert api.get(f"{PODS}/alertmanager-0")["metadata"]["uid"] == pod, "its pod was restarted"
    assert drift(project).status == 0


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
