"""An update of which a part does not become ready says so, and the next one mends it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kubernetes import client

from tests.sandbox.conftest import Api, Project

POLICY = "refused-pods"
TAKEN_UP_SECONDS = 2  # the API server takes up a policy within a second


@contextmanager
def refused(api: Api, label: str, value: str) -> Iterator[None]:
    """Have the API server refuse pods with a label, as a quota or a policy of the cluster would."""
    admission = client.AdmissionregistrationV1Api(api.connection)
    labels = "object.metadata.labels"
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    policy: Any = {
        "metadata": {"name": POLICY},
        "spec": {
            "matchConstraints": {"resourceRules": [pods]},
            "validations": [{"expression": f"!('{label}' in {labels} && {labels}['{label}'] == '{value}')"}],
        },
    }
    binding: Any = {"metadata": {"name": POLICY}, "spec": {"policyName": POLICY, "validationActions": ["Deny"]}}
    admission.create_validating_admission_policy(policy)
    admission.create_validating_admission_policy_binding(binding)
    try:
        time.sleep(TAKEN_UP_SECONDS)
        yield
    finally:
        admission.delete_validating_admission_policy_binding(POLICY)
        admission.delete_validating_admission_policy(POLICY)
        time.sleep(TAKEN_UP_SECONDS)


def failed_update(project: Project) -> str:
    """Return what an update says that has to fail."""
    done = project.pulumi("local", "up", "--yes", "--skip-preview")
    assert done.returncode != 0, done.stdout[-3000:]
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout


def test_a_set_up_job_that_failed_is_made_anew(project: Project, api: Api) -> None:
    """Elasticsearch may be later than the Job's deadline, when images are pulled slowly: the next `up` tries again."""
    project.prepare("local", logs={"retentionDays": 3}, charts={"timeoutSeconds": 10})
    try:
        with refused(api, "app.kubernetes.io/name", "log-index"):
            assert "DeadlineExceeded" in failed_update(project)
        assert project.up("local")["replaced"] == 1
        jobs = api.get(
            "/apis/batch/v1/namespaces/monitoring/jobs?labelSelector=app.kubernetes.io/component%3Dlog-index"
        )
        (job,) = jobs["items"]
        assert job["status"]["succeeded"] == 1
    finally:
        project.prepare("local")
        project.up("local")


def test_jaeger_that_does_not_become_ready_fails_the_update(project: Project, api: Api) -> None:
    """Its operator says Running all the same."""

    def collector() -> tuple[str, int]:
        """Return the CPU that the collector's pods ask for, and how many are ready."""
        found = api.get("/apis/apps/v1/namespaces/monitoring/deployments/mangakai-jaeger-collector")
        (container,) = found["spec"]["template"]["spec"]["containers"]
        return container["resources"]["requests"]["cpu"], found["status"]["readyReplicas"]

    before = collector()
    larger = {"requests": {"cpu": "700m", "memory": "512Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
    project.prepare("local", traces={"collector": {"replicas": 1, "resources": larger}}, charts={"timeoutSeconds": 10})
    try:
        with refused(api, "app.kubernetes.io/component", "collector"):
            for said in (failed_update(project), failed_update(project)):  # what is not ready is waited for again
                assert "mangakai-jaeger-collector did not become ready in 10 s" in said, said[-3000:]
                assert POLICY in said, "the last events say why"
    finally:
        project.prepare("local")
        project.up("local")
    assert collector() == before, "the way back is waited for too"
