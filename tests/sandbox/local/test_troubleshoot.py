"""`make troubleshoot` on the stack that is up: the real program, faults that are staged, and none that are invented."""

import base64
import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from sandbox import cluster
from sandbox.layout import CHECKOUT, CONTEXT
from tests.sandbox.conftest import CANARIES, Api, Project
from tests.sandbox.waiting import until

APPLICATION = "mangakai-prod"
# Containers do not run on the sandbox (docs/sandbox.md), and the application is not there.
EXPECTED = {
    "elasticsearch monitoring/mangakai-logs": "warning",
    "elasticsearch monitoring/mangakai-traces": "warning",
    "Prometheus (monitoring)": "unknown",
    "Alertmanager (monitoring)": "unknown",
    f"the backend's /ready ({APPLICATION})": "unknown",
}


@dataclass(frozen=True)
class Said:
    """What the program said."""

    status: int
    text: str
    errors: str
    seconds: float

    @property
    def faults(self) -> dict[str, Any]:
        """Return the findings that are faults, by what they are about."""
        return {one["subject"]: one for one in json.loads(self.text)["findings"] if one["severity"] != "info"}


def troubleshoot(project: Project, *arguments: str, kubeconfig: Path | None = None) -> Said:
    """Run the program on the stack `local`."""
    own = {"KUBECONFIG": str(kubeconfig)} if kubeconfig else {}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "operations.troubleshoot", "--stack", "local", *arguments],
        cwd=CHECKOUT,
        env=project.environment("local") | own,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr, time.monotonic() - began)


@pytest.fixture(scope="module", autouse=True)
def operators_are_done(project: Project) -> None:
    """Elastic's operator goes on after an update has ended; what is not there in time is a finding."""
    with contextlib.suppress(AssertionError):
        until(lambda: set(troubleshoot(project, "--json").faults) == set(EXPECTED), 120)


@pytest.mark.requirement("S-130")
def test_nothing_is_invented_on_a_healthy_stack(project: Project) -> None:
    said = troubleshoot(project, "--json")
    print(f"\nhealthy: {said.seconds:.1f} s")
    assert {subject: fault["severity"] for subject, fault in said.faults.items()} == EXPECTED
    assert (said.status, said.errors) == (3, "")


def test_the_table_has_versions_and_urls_and_no_secret(project: Project) -> None:
    said = troubleshoot(project)
    assert said.text.startswith("Stack local: 2 warnings, 3 not looked at.")
    for part in (
        "grafana-external: http://localhost:3000",
        "kibana-external: https://localhost:5601",
        "prometheus: prometheus-29.27.0",
        "Kubernetes",
    ):
        assert part in said.text
    assert [value for value in CANARIES.values() if value in said.text] == []


def kubeconfig_of(project: Project, token: str, folder: Path) -> Path:
    """Return a kubeconfig that logs in with `token`."""
    document = yaml.safe_load(project.sandbox.kubeconfig.read_text())
    document["users"] = [{"name": "other", "user": {"token": token}}]
    (context,) = (one for one in document["contexts"] if one["name"] == CONTEXT)
    context["context"]["user"] = "other"
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(document))
    return file


@pytest.fixture
def token(api: Api) -> Iterator[str]:
    """The token of a ServiceAccount without rights."""
    body = client.V1ServiceAccount(metadata=client.V1ObjectMeta(name="staged-reader"))
    api.core.create_namespaced_service_account(APPLICATION, body)
    request = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[]))
    try:
        answer: Any = api.core.create_namespaced_service_account_token("staged-reader", APPLICATION, request)
        yield answer.status.token
    finally:
        api.core.delete_namespaced_service_account("staged-reader", APPLICATION)


def test_whoever_may_nothing_is_told_so(project: Project, token: str, tmp_path: Path) -> None:
    said = troubleshoot(project, "--json", kubeconfig=kubeconfig_of(project, token, tmp_path))
    (fault,) = said.faults.values()
    assert (said.status, fault["cause"]) == (1, "forbidden (403)")
    assert "pods (monitoring)" in fault["subject"]
    assert token not in said.text


def test_the_rights_in_the_documentation_suffice(project: Project, api: Api, token: str, tmp_path: Path) -> None:
    page = (CHECKOUT / "docs" / "troubleshooting.md").read_text()
    (block,) = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    role = yaml.safe_load(block)
    rbac, name = client.RbacAuthorizationV1Api(api.connection), role["metadata"]["name"]
    subject = client.RbacV1Subject(kind="ServiceAccount", name="staged-reader", namespace=APPLICATION)
    reference = client.V1RoleRef(api_group="rbac.authorization.k8s.io", kind="ClusterRole", name=name)
    metadata = client.V1ObjectMeta(name=name)
    binding = client.V1ClusterRoleBinding(metadata=metadata, role_ref=reference, subjects=[subject])
    rbac.create_cluster_role(role)
    rbac.create_cluster_role_binding(binding)
    try:
        said = troubleshoot(project, "--json", kubeconfig=kubeconfig_of(project, token, tmp_path))
        assert {subject: fault["severity"] for subject, fault in said.faults.items()} == EXPECTED
        assert "403" not in said.text
    finally:
        rbac.delete_cluster_role_binding(name)
        rbac.delete_cluster_role(name)


def test_a_cluster_that_is_not_the_stacks_is_refused(project: Project, tmp_path: Path) -> None:
    document = yaml.safe_load(project.sandbox.kubeconfig.read_text())
    document["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    other = tmp_path / "kubeconfig"
    other.write_text(yaml.safe_dump(document))
    said = troubleshoot(project, kubeconfig=other)
    assert (said.status, said.text) == (2, "")
    assert "leads to https://127.0.0.1:1, but this stack belongs to" in said.errors


def pod(name: str, **spec: Any) -> dict[str, Any]:
    containers = [{"name": "web", "image": "mangakai:1"}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": containers, **spec}}


def service(name: str, **spec: Any) -> dict[str, Any]:
    spec = {"selector": {"app": "nothing"}, "ports": [{"port": 80}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def status(state: dict[str, Any], restarts: int = 0, **rest: Any) -> dict[str, Any]:
    """Return what a kubelet would say of a pod whose container does not run."""
    container = {"name": "web", "image": "mangakai:1", "imageID": "", "ready": False, "restartCount": restarts}
    conditions = [{"type": kind, "status": "False"} for kind in ("Ready", "ContainersReady")]
    return {"conditions": conditions, "containerStatuses": [{**container, "state": state, **rest}]}


DIED = {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-01-31T12:00:00Z"}}
STATUSES: dict[str, dict[str, Any]] = {
    "staged-crash": status({"waiting": {"reason": "CrashLoopBackOff"}}, 7, lastState=DIED),
    "staged-image": status({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}),
}
JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "staged-done"},
    "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "web", "image": "mangakai:1"}]}}},
}
CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "staged-unbound"},
    # With the name of a class, the sandbox makes a volume for it.
    "spec": {
        "storageClassName": "",
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
    },
}
RECORD = {
    "apiVersion": "v1",
    "kind": "Secret",
    "type": "helm.sh/release.v1",
    "metadata": {
        "name": "sh.helm.release.v1.staged.v2",
        "labels": {"owner": "helm", "name": "staged", "status": "failed", "version": "2", "modifiedAt": "1767225600"},
    },
    "data": {"release": base64.b64encode(b"canary-record").decode()},
}
OBJECTS = [
    *(pod(name) for name in STATUSES),
    pod("staged-pending", nodeSelector={"there-is": "none"}),
    JOB,
    CLAIM,
    service("staged-empty"),
    service("staged-stuck", type="LoadBalancer", loadBalancerClass="example.com/nobody"),
    RECORD,
]


@pytest.fixture(scope="module")
def staged(project: Project, api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Said]:
    """What the program says while all of it is wrong."""
    file, core = tmp_path_factory.mktemp("staged") / "objects.yaml", api.core
    file.write_text(yaml.safe_dump_all(OBJECTS))
    objects = ("--namespace", APPLICATION, "--filename", str(file))
    try:
        cluster.kubectl(project.sandbox, "create", *objects)
        wait_for(lambda: {"staged-crash", "staged-image", "staged-done"} <= settled(core))
        for name, body in STATUSES.items():
            core.patch_namespaced_pod_status(name, APPLICATION, {"status": body})
        path = f"/api/v1/namespaces/{APPLICATION}/services/staged-stuck"
        wait_for(lambda: api.get(path)["status"]["loadBalancer"])
        # The sandbox gives an address to each that has none at all; this entry has none inside.
        balancer: dict[str, Any] = {"loadBalancer": {"ingress": [{}]}}
        core.patch_namespaced_service_status("staged-stuck", APPLICATION, {"status": balancer})
        yield troubleshoot(project, "--json")
    finally:
        cluster.kubectl(project.sandbox, "delete", "--ignore-not-found", *objects)


def settled(core: client.CoreV1Api) -> set[str]:
    """Return the pods, by name or by the name of their Job, that the sandbox is through with."""
    pods: list[Any] = core.list_namespaced_pod(APPLICATION).items
    return {
        (one.metadata.labels or {}).get("job-name", one.metadata.name)
        for one in pods
        if one.status.phase in ("Running", "Succeeded")
    }


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


NEXT_STEPS = {
    f"pod {APPLICATION}/staged-crash": (
        "critical",
        "crashes: Error, exit code 1, restarts: 7",
        f"kubectl -n {APPLICATION} logs staged-crash -c web --tail=100 --previous",
    ),
    f"pod {APPLICATION}/staged-image": (
        "critical",
        "does not start: ImagePullBackOff",
        f"check image mangakai:1, then: kubectl -n {APPLICATION} describe pod staged-image",
    ),
    f"pod {APPLICATION}/staged-pending": (
        "critical",
        "is pending: no node takes it",
        f"kubectl -n {APPLICATION} describe pod staged-pending",
    ),
    f"volume claim {APPLICATION}/staged-unbound": (
        "critical",
        "is not bound",
        f"kubectl -n {APPLICATION} describe pvc staged-unbound",
    ),
    f"service {APPLICATION}/staged-empty": (
        "critical",
        "leads to no pod that is ready",
        f"kubectl -n {APPLICATION} get deploy,statefulset,pods --show-labels",
    ),
    "release staged": (
        "warning",
        "is failed (revision 2)",
        "mend what is wrong with its pods, then: pulumi up --stack local",
    ),
}


@pytest.mark.parametrize("subject", NEXT_STEPS)
@pytest.mark.requirement("S-139")
def test_a_staged_fault_is_found_with_its_next_step(staged: Said, subject: str) -> None:
    severity, what, next_step = NEXT_STEPS[subject]
    fault = staged.faults[subject]
    assert (fault["severity"], fault["next_step"]) == (severity, next_step)
    assert what in fault["what"]
    assert fault["since"]


def test_the_stuck_load_balancer_is_found(staged: Said) -> None:
    found = [one for one in json.loads(staged.text)["findings"] if one["subject"].endswith("/staged-stuck")]
    (fault,) = (one for one in found if "address" in one["what"])
    assert (fault["severity"], bool(fault["since"])) == ("warning", True)
    assert fault["cause"].startswith("nobody serves loadBalancerClass example.com/nobody")
    assert fault["next_step"] == f"kubectl -n {APPLICATION} describe service staged-stuck"


def test_the_schedulers_reason_is_told(staged: Said) -> None:
    assert "didn't match Pod's node affinity" in staged.faults[f"pod {APPLICATION}/staged-pending"]["cause"]
    events = [one for one in json.loads(staged.text)["findings"] if one["subject"].startswith("event Pod")]
    assert any("FailedScheduling" in one["what"] for one in events)


def test_nothing_else_is_found_and_the_completed_job_is_none(staged: Said) -> None:
    print(f"\nstaged faults: {staged.seconds:.1f} s")
    stuck = f"service {APPLICATION}/staged-stuck"
    assert set(staged.faults) == EXPECTED.keys() | NEXT_STEPS.keys() | {stuck}
    assert (staged.status, staged.errors) == (4, "")
    assert "staged-done" not in staged.text
    assert "canary-record" not in staged.text
