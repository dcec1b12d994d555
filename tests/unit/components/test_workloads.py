"""What keeps the pods of the program from running on a cluster that has a kubelet, held for every stack."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.foundation.helm_records import RELEASE_TYPE as RELEASE
from components.foundation.rollout_status import ANNOTATION
from tests.offline import ROOT, Registered, Run, before, canary, run

JOB = "kubernetes:batch/v1:Job"
# How a pod's spec, or a chart's value, names what must be there before the pod.
REFERENCES: dict[str, set[tuple[str, ...]]] = {
    "kubernetes:core/v1:ConfigMap": {("configMap", "name"), ("configMapKeyRef", "name"), ("configMapRef", "name")},
    "kubernetes:core/v1:Secret": {
        ("secretName",),
        ("secret", "secretName"),
        ("secret", "name"),
        ("secretKeyRef", "name"),
        ("secretRef", "name"),
        ("existingSecret",),
        ("pipelinesRef", "secretName"),
    },
    "kubernetes:core/v1:ServiceAccount": {("serviceAccountName",)},
}


def values(stack: Run, release: str) -> dict[str, Any]:
    return next(dict(one.inputs["values"]) for one in stack.of_type(RELEASE) if one.name == release)


def references(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield each text in a value, with the keys that lead to it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from references(inner, (*path, key))
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner, path)
    elif isinstance(value, str):
        yield path, value


def needed(workload: Registered, stack: Run) -> Iterator[Registered]:
    """Yield the objects of ours that a workload names."""
    found = list(references(workload.inputs))
    for type_, paths in REFERENCES.items():
        for resource in stack.of_type(type_):
            name = resource.inputs["metadata"]["name"]
            if any(text == name and any(path[-len(way) :] == way for way in paths) for path, text in found):
                yield resource


def test_what_a_workload_names_is_made_before_it(stack: Run) -> None:
    """A Job whose ServiceAccount comes later waits for Kubernetes' next try, a pod without its Secret for a minute."""
    seen = 0
    for type_ in (JOB, "kubernetes:apps/v1:Deployment", RELEASE):
        for workload in stack.of_type(type_):
            for resource in needed(workload, stack):
                seen += 1
                assert resource.urn in before(workload, stack), f"{workload.name} does not wait for {resource.name}"
    print(f"\n{seen} names of {len(stack.resources)} resources")
    assert seen > 15


def test_a_job_that_failed_is_made_anew_by_the_next_up(stack: Run) -> None:
    """Else the provider looks at the same failed Job, for ever."""
    jobs = stack.of_type(JOB)
    assert {job.name for job in jobs} >= {"log-index"}
    for job in jobs:
        assert job.inputs["metadata"]["annotations"]["pulumi.com/replaceUnready"] == "true", job.name
        assert job.inputs["spec"]["activeDeadlineSeconds"] <= 1800, job.name


def test_no_password_is_in_what_a_pod_or_a_process_shows(stack: Run) -> None:
    """An argument is readable for every process on the node, and so is what an argument takes from a variable."""
    for release in stack.of_type(RELEASE):
        text = json.dumps(release.inputs["values"])
        assert canary("webPassword") not in text
        assert "$(RELOAD_URL)" not in text
        for path, argument in references(release.inputs["values"]):
            if "args" in path or "command" in path:
                assert "PASSWORD" not in argument.upper().replace("PASSWORD_FILE", ""), (release.name, argument)


@pytest.mark.parametrize("name", ["staging", "prod"])
def test_a_prometheus_with_a_password_is_ready_when_it_says_so(runs: dict[str, Run], name: str) -> None:
    containers = values(runs[name], "prometheus")["server"]["sidecarContainers"]
    readiness = yaml.safe_load(containers["readiness"])
    command = readiness["readinessProbe"]["exec"]["command"]
    assert command[:3] == ["promtool", "check", "ready"]
    assert "--http.config.file=/etc/prometheus/web/client.yml" in command
    assert {"name": "web", "mountPath": "/etc/prometheus/web", "readOnly": True} in readiness["volumeMounts"]
    assert containers["config-reloader"]["args"][-1] == "@/etc/prometheus/web/prometheus-reloader-arguments"


def test_the_files_with_the_password_say_what_promtool_and_the_reloaders_read(runs: dict[str, Run]) -> None:
    (secret,) = (
        one.inputs["stringData"]
        for one in runs["prod"].of_type("kubernetes:core/v1:Secret")
        if one.inputs["metadata"]["name"] == "web-auth"
    )
    content = secret.get("value", secret)
    client = yaml.safe_load(plain(content["client.yml"]))
    assert client == {"basic_auth": {"username": "monitoring", "password_file": "password"}}
    for program, port in (("prometheus", 9090), ("alertmanager", 9093)):
        flag = plain(content[f"{program}-reloader-arguments"])
        assert flag == f"--reload-url=http://monitoring:{canary('webPassword')}@127.0.0.1:{port}/-/reload"


def plain(value: Any) -> str:
    """Return the text of a value, be it marked as a secret or not."""
    return str(value["value"] if isinstance(value, dict) else value)


def test_elastics_volumes_have_a_group(stack: Run) -> None:
    """ECK sets fsGroup, without which a new volume cannot be written, only where a pod template says nothing."""
    for release in ("mangakai-logs", "mangakai-traces"):
        (node_set,) = values(stack, release)["nodeSets"]
        assert "securityContext" not in node_set["podTemplate"]["spec"]
    for release in ("logstash", "kibana"):
        given = values(stack, release)["podTemplate"]["spec"]["securityContext"]
        assert (given["fsGroup"], given["seccompProfile"]) == (1000, {"type": "RuntimeDefault"})


def test_grafana_needs_no_way_out_and_no_root_to_write_to(stack: Run) -> None:
    """The installer of plugins takes its datasources away where grafana.com is not reached, or the root read-only."""
    given = values(stack, "grafana")
    ini = given["grafana.ini"]
    assert ini["plugins"] == {"preinstall_disabled": True, "public_key_retrieval_disabled": True}
    assert set(ini["analytics"].values()) == {False}
    assert ini["log"] == {"mode": "console"}
    assert given["containerSecurityContext"]["readOnlyRootFilesystem"]
    assert [mount["mountPath"] for mount in given["extraEmptyDirMounts"]] == ["/tmp"]  # noqa: S108
    volumes = {volume["name"] for volume in given["extraContainerVolumes"] if "emptyDir" in volume}
    for kind in ("dashboards", "datasources"):
        mounts = {mount["mountPath"]: mount["name"] for mount in given["sidecar"][kind]["extraMounts"]}
        assert mounts["/tmp"] in volumes  # noqa: S108


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("prod", {"kibana", "logstash", "mangakai-jaeger-collector", "mangakai-jaeger-query"}),
        ("staging", set()),  # one replica each, whose budget no drain could keep
    ],
)
def test_replicas_have_a_budget_that_lets_one_go(runs: dict[str, Run], name: str, expected: set[str]) -> None:
    budgets = runs[name].of_type("kubernetes:policy/v1:PodDisruptionBudget")
    assert {one.name for one in budgets} == expected
    for one in budgets:
        assert one.inputs["spec"]["maxUnavailable"] == 1
        assert one.inputs["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    given = [values(runs[name], "prometheus")["server"], values(runs[name], "alertmanager")]
    assert [one.get("podDisruptionBudget", {}).get("maxUnavailable") for one in given] == (
        [1, 1] if expected else [None, None]
    )


def test_what_holds_its_memory_requests_all_of_it(stack: Run) -> None:
    """Else a node that is short of memory ends it first: what it uses beyond its requests counts."""
    node_sets = [values(stack, name)["nodeSets"][0] for name in ("mangakai-logs", "mangakai-traces")]
    given = [one["podTemplate"]["spec"]["containers"][0]["resources"] for one in node_sets]
    for resources in (*given, values(stack, "prometheus")["server"]["resources"]):
        assert resources["requests"]["memory"] == resources["limits"]["memory"]


def test_a_stack_without_a_priority_has_no_class_and_names_none(tmp_path: Path) -> None:
    def found(folder: str, **cluster: Any) -> tuple[int, int]:
        (tmp_path / folder).mkdir()
        given = yaml.safe_load((ROOT / "Pulumi.staging.yaml").read_text())["config"]["mangakai-monitoring:cluster"]
        stack = run("staging", tmp_path / folder, {"cluster": {**given, **cluster}})
        named = json.dumps([one.inputs for one in stack.resources], default=str).count('"priorityClassName"')
        return len(stack.of_type("kubernetes:scheduling.k8s.io/v1:PriorityClass")), named

    classes, named = found("by-itself")
    assert classes == 1
    assert named > 15
    assert found("without", priority=0) == (0, 0)


def test_filebeat_is_root_who_may_read_and_nothing_else(stack: Run) -> None:
    (container,) = values(stack, "filebeat")["daemonSet"]["podTemplate"]["spec"]["containers"]
    assert container["securityContext"] == {
        "runAsUser": 0,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], "add": ["DAC_READ_SEARCH"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert [mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")] == [
        "/usr/share/filebeat/logs"
    ]


def test_jaegers_pods_are_told_by_their_configuration_and_waited_for(stack: Run) -> None:
    (resource,) = (one for one in stack.resources if one.inputs.get("kind") == "Jaeger")
    spec = resource.inputs["spec"]
    (status,) = stack.of_type("mangakai:monitoring:RolloutStatus")
    assert status.inputs["configuration"] == spec["annotations"][ANNOTATION]
    assert resource.urn in before(status, stack)
    for part in ("collector", "query"):
        assert spec[part]["strategy"] == {"type": "RollingUpdate"}


def test_jaeger_comes_when_its_storage_answers_by_the_login_that_it_will_use(stack: Run) -> None:
    (resource,) = (one for one in stack.resources if one.inputs.get("kind") == "Jaeger")
    (job,) = (one for one in stack.of_type(JOB) if one.name == "mangakai-traces-awaited")
    (elasticsearch,) = (one for one in stack.of_type(RELEASE) if one.name == "mangakai-traces")
    assert elasticsearch.urn in before(job, stack)
    assert job.urn in before(resource, stack)
    pod = job.inputs["spec"]["template"]["spec"]
    environment = {one["name"]: one.get("value", one.get("valueFrom")) for one in pod["containers"][0]["env"]}
    options = resource.inputs["spec"]["storage"]["options"]["es"]
    assert environment["URL"] == options["server-urls"]
    assert environment["LOGIN"] == "jaeger:$(PASSWORD)"
    assert environment["PASSWORD"]["secretKeyRef"] == {"name": "mangakai-traces-user-jaeger", "key": "password"}
    assert pod["volumes"][0]["secret"]["secretName"] == "mangakai-traces-es-http-certs-public"


def test_a_change_of_jaegers_spec_is_another_configuration_but_that_of_the_sampling(tmp_path: Path) -> None:
    """The collector reads its sampling file again; all else is read at the start."""

    def jaeger(folder: str, sample_ratio: float = 0.1, **traces: Any) -> tuple[str, float]:
        (tmp_path / folder).mkdir()
        settings = {
            "traces": {"certManager": "none", **traces},
            "application": {"openTelemetry": {"sampleRatio": sample_ratio}},
        }
        found = run("local", tmp_path / folder, settings)
        (resource,) = (one for one in found.resources if one.inputs.get("kind") == "Jaeger")
        spec = resource.inputs["spec"]
        assert "strategies-reload-interval" in spec["collector"]["options"]["sampling"]
        return spec["annotations"][ANNOTATION], spec["sampling"]["options"]["default_strategy"]["param"]

    same, ratio = jaeger("same")
    assert (same, ratio) == jaeger("again")
    assert jaeger("another", retentionDays=3)[0] != same
    assert jaeger("sampling", sample_ratio=0.5) == (same, 0.5)
