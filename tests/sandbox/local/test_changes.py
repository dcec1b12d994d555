"""Settings that change what cannot change in place: each is done, or refused before anything is, and can be set back.

The rows of docs/changes.md; those of a stack with an AWS account are in ../test_changes_on_aws.py.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client

from components.foundation.elastic_status import refusal as refusal_of_operator
from components.foundation.volumes import volumes
from components.settings import read_file
from tests.sandbox.conftest import Api, Project
from tests.sandbox.waiting import until

STATEFUL_SETS = "/apis/apps/v1/namespaces/monitoring/statefulsets"


@pytest.fixture(autouse=True)
def set_back(project: Project) -> Iterator[None]:
    """What was changed is set back, and then the stack is as it was."""
    yield
    project.prepare("local")
    if project.previewed("local"):
        project.up("local")
        assert project.previewed("local") == []


def everything(api: Api) -> dict[str, Any]:
    """Return what may not change where something is refused, by what it is called."""
    return {item["metadata"]["name"]: item["spec"] for item in api.get(STATEFUL_SETS)["items"]} | {"": api.claims()}


def refusal(project: Project, api: Api, **settings: dict[str, object]) -> list[str]:
    """Return the lines with which a preview and an update refuse settings; neither of them changes anything."""
    before = everything(api)
    project.prepare("local", **settings)
    said = []
    for arguments in (("preview",), ("up", "--yes", "--skip-preview")):
        done = project.pulumi("local", *arguments)
        assert done.returncode != 0, done.stdout
        assert "Traceback" not in done.stdout + done.stderr
        assert "(nothing was registered):" in done.stdout
        said.append([line.strip() for line in done.stdout.splitlines() if line.strip().startswith("- ")])
    assert said[0] == said[1]
    assert everything(api) == before
    return said[0]


def test_every_volume_on_the_cluster_is_one_that_is_looked_at(project: Project, api: Api) -> None:
    api.made(f"{STATEFUL_SETS}/logstash-ls")
    claiming = {
        item["metadata"]["name"] for item in api.get(STATEFUL_SETS)["items"] if item["spec"].get("volumeClaimTemplates")
    }
    assert claiming == {each.stateful_set for each in volumes(read_file(project.folder / "Pulumi.local.yaml"))}


def test_a_smaller_volume_is_refused(project: Project, api: Api) -> None:
    smaller: dict[str, object] = {"elasticsearch": {"storage": "512Mi"}}
    lines = refusal(project, api, alertmanager={"storage": "512Mi"}, logs=smaller, traces=smaller)
    settings = ["alertmanager.storage", "logs.elasticsearch.storage", "traces.elasticsearch.storage"]
    for setting, line in zip(settings, lines, strict=True):
        assert line.startswith(f"- {setting}: 512Mi, and the volumes of ")
        assert "a volume never gets smaller: set " in line


def test_a_larger_volume_is_refused_where_its_class_lets_none_grow(project: Project, api: Api) -> None:
    storage = client.StorageV1Api(api.connection)
    storage.patch_storage_class("standard", {"allowVolumeExpansion": False})
    try:
        larger: dict[str, object] = {"elasticsearch": {"storage": "6Gi"}}
        lines = refusal(project, api, alertmanager={"storage": "6Gi"}, logs=larger)
    finally:
        storage.patch_storage_class("standard", {"allowVolumeExpansion": True})
    settings = ["alertmanager.storage", "logs.elasticsearch.storage"]
    for setting, line in zip(settings, lines, strict=True):
        assert line.startswith(f"- {setting}: 6Gi, and the volumes of ")
        assert "their StorageClass lets none grow (allowVolumeExpansion): set " in line


def verb(project: Project, name: str) -> str:
    """Return what a verb says about the stack, errors and progress first."""
    command = [sys.executable, "-m", f"operations.{name}", "--stack", "local"]
    done = subprocess.run(
        command, cwd=project.folder, env=project.environment("local"), capture_output=True, text=True, check=False
    )
    return done.stderr + done.stdout


def test_what_elastics_operator_refuses_is_told_by_preview_drift_and_troubleshoot(project: Project, api: Api) -> None:
    """Past the program: by whoever changes its object, or by an earlier version of the program."""
    path = "/apis/elasticsearch.k8s.elastic.co/v1/namespaces/monitoring/elasticsearches/mangakai-logs"
    api.made(f"{STATEFUL_SETS}/mangakai-logs-es-default")
    objects = client.CustomObjectsApi(api.connection)
    where = ("elasticsearch.k8s.elastic.co", "v1", "monitoring", "elasticsearches", "mangakai-logs")

    def ask_for(size: str) -> None:
        spec = api.get(path)["spec"]
        spec["nodeSets"][0]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] = size
        objects.patch_namespaced_custom_object(*where, {"spec": spec})

    def refused() -> bool:
        return refusal_of_operator(api.get(path)) is not None

    before = api.get(path)["spec"]["nodeSets"][0]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"]
    ask_for("1Gi")
    try:
        until(refused, seconds=180)
        said = "decreasing storage size is not supported"
        assert said in verb(project, "preview")
        assert said in verb(project, "drift")
        assert said in verb(project, "troubleshoot")
    finally:
        ask_for(before)
    until(lambda: not refused(), seconds=180)
    assert said not in verb(project, "preview") + verb(project, "drift")
    assert "does not do what the last update asked" not in verb(project, "troubleshoot")


def test_another_class_is_refused(project: Project, api: Api) -> None:
    storage = client.StorageV1Api(api.connection)
    other: Any = {"metadata": {"name": "other"}, "provisioner": "kubernetes.io/no-provisioner"}
    storage.create_storage_class(other)
    try:
        (line,) = refusal(project, api, storage={"storageClass": "other"})
    finally:
        storage.delete_storage_class("other")
    assert line.startswith("- storage.storageClass: 'other', and the volumes of prometheus, alertmanager, grafana, ")
    assert "set 'standard' again" in line


def test_a_larger_volume_is_one_command_and_no_pod_restarts(project: Project, api: Api) -> None:
    parts = {"prometheus": "storage-volume-prometheus-0", "alertmanager": "storage-alertmanager-0"}

    def pods() -> list[str]:
        return [api.get(f"/api/v1/namespaces/monitoring/pods/{part}-0")["metadata"]["uid"] for part in parts]

    before = pods(), api.claims()
    larger: dict[str, dict[str, object]] = {"prometheus": {"storage": "6Gi"}, "alertmanager": {"storage": "2Gi"}}
    lines = refusal(project, api, **larger)
    assert [line.split(":")[0] for line in lines] == ["- prometheus.storage", "- alertmanager.storage"]
    assert all("make grow STACK=local" in line for line in lines)
    try:
        said = verb(project, "grow")
        print(said)
        assert "prometheus.storage: the volumes of prometheus have 6Gi now\n" in said
        assert said.endswith("Now: pulumi up --stack local\n")
        assert "no volume of stack local is smaller than it should be" in verb(project, "grow")
        assert "annot change in place" not in verb(project, "preview")
        print(project.up("local"))
        assert project.previewed("local") == []
        assert (pods(), api.claims()) == before
        for part, claim in parts.items():
            size = larger[part]["storage"]
            found = api.get(f"/api/v1/namespaces/monitoring/persistentvolumeclaims/{claim}")
            assert found["status"]["capacity"]["storage"] == size
            (template,) = api.get(f"{STATEFUL_SETS}/{part}")["spec"]["volumeClaimTemplates"]
            assert template["spec"]["resources"]["requests"]["storage"] == size
        assert "no drift" in verb(project, "drift")
    finally:
        # A volume never gets smaller: without its StatefulSet the next update makes one for the volume that is there.
        for part in parts:
            api.apps.delete_namespaced_stateful_set(part, "monitoring", propagation_policy="Orphan")


PARTS = {"prometheus", "alertmanager", "grafana", "kibana", "jaeger"}


def load_balancers(api: Api) -> set[tuple[str, str | None]]:
    """Return type and class of the Services by which people reach the parts."""
    found = [api.get(f"/api/v1/namespaces/monitoring/services/{part}-external")["spec"] for part in PARTS]
    return {(spec["type"], spec.get("loadBalancerClass")) for spec in found}


def make_services_anew(project: Project) -> None:
    """Bring the stack up, which replaces the Services and nothing else."""
    replaced = {(type_, name) for op, type_, name in project.previewed("local") if "replace" in op}
    assert replaced == {("kubernetes:core/v1:Service", f"{part}-external") for part in PARTS}
    print(f"\n{project.up('local')}")
    assert project.previewed("local") == []


@pytest.mark.long
def test_a_load_balancer_of_another_kind_is_refused_and_made_after_the_command_of_the_error(
    project: Project, api: Api
) -> None:
    to_aws: dict[str, dict[str, object]] = {"exposure": {"loadBalancer": "aws"}}
    for settings, kind in ((to_aws, "service.k8s.aws/nlb"), ({}, None)):
        (line,) = refusal(project, api, **settings)
        assert "have a load balancer of another kind, which a Service keeps for life" in line
        command = re.search(r"kubectl --context \S+ -n monitoring delete service [a-z -]+", line)
        assert command, line
        environment = project.environment("local")
        subprocess.run(shlex.split(command[0]), env=environment, capture_output=True, check=True)
        make_services_anew(project)
        assert load_balancers(api) == {("LoadBalancer", kind)}


@pytest.mark.long
def test_node_ports_and_load_balancers_replace_each_other(project: Project, api: Api) -> None:
    project.prepare("local", exposure={"loadBalancer": "nodePort", "nodeAddress": "localhost"})
    make_services_anew(project)
    assert load_balancers(api) == {("NodePort", None)}
    project.prepare("local")
    make_services_anew(project)
    assert load_balancers(api) == {("LoadBalancer", None)}


@pytest.mark.long
def test_what_cert_manager_has_left_behind_is_left_alone(project: Project, api: Api) -> None:
    """From `existing` to `none`: cert-manager does not remove the Secret of a Certificate that is gone."""
    left: Any = {"metadata": {"name": "jaeger-operator-service-cert"}, "stringData": {"tls.crt": "of cert-manager"}}
    api.core.create_namespaced_secret("monitoring", left, field_manager="cert-manager-certificates-issuing")
    try:
        project.prepare("local", logs={"retentionDays": 3})
        project.up("local")
        assert api.secret("jaeger-operator-service-cert") == {"tls.crt": "of cert-manager"}
        assert "PRIVATE KEY" in api.secret("jaeger-operator-certificate")["tls.key"]
    finally:
        api.core.delete_namespaced_secret("jaeger-operator-service-cert", "monitoring")
