"""The stack `local` through the real engine, on a real API server, with the real operators."""

import json
import re
import time
from pathlib import Path

import pytest

from components.settings import read_file
from operations import render
from tests.sandbox import elk, jaeger, pod_security, workloads
from tests.sandbox.conftest import CANARIES, Api, Project


@pytest.mark.requirement("S-117", "S-118")
def test_a_second_up_and_a_preview_change_nothing(project: Project) -> None:
    began = time.monotonic()
    assert set(project.up("local")) == {"unchanged"}
    up = time.monotonic() - began
    began = time.monotonic()
    assert project.previewed("local") == []
    print(f"\nno change: up {up:.1f} s, preview {time.monotonic() - began:.1f} s")


def test_the_engines_own_log_and_traces_are_to_be_had(project: Project, tmp_path: Path) -> None:
    traces = tmp_path / "traces"
    shown = project.pulumi("local", "preview", "--logtostderr", "-v=3", "--logflow", "--tracing", f"file:{traces}")
    assert re.search(r"\d+ unchanged", shown.stdout), shown.stdout
    assert traces.stat().st_size


@pytest.mark.requirement("S-008", "S-023", "S-039", "S-128")
@pytest.mark.usefixtures("project")
def test_the_api_server_has_what_render_writes(api: Api) -> None:
    files = {
        path: text.replace(render.GRAFANA_URL, "http://localhost:3000").replace(
            render.KIBANA_URL, "https://localhost:5601"
        )
        for path, text in render.stack_files("local").items()
    }

    def folder(name: str) -> dict[str, str]:
        return {path.split("/")[1]: text for path, text in files.items() if path.startswith(f"{name}/")}

    assert api.config_map("prometheus-config") == {"prometheus.yml": files["prometheus.yml"]}
    assert api.config_map("prometheus-rules") == folder("rules")
    assert api.config_map("prometheus-scrape-configs") == folder("scrape_configs")
    assert api.config_map("alertmanager-config") == {"alertmanager.yml": files["alertmanager.yml"]} | folder(
        "templates"
    )
    for name, text in folder("dashboards").items():
        assert api.config_map(f"dashboard-{Path(name).stem}") == {name: text}


WORKLOADS = ("deployments", "statefulsets", "daemonsets")
CHANGES = [
    ("rules/celery.yml", "> 100", "> 150", "kubernetes:core/v1:ConfigMap", "prometheus-rules"),
    (
        "dashboards/infrastructure.json",
        '"MangakAI Infrastructure"',
        '"MangakAI Infrastructure (new)"',
        "kubernetes:core/v1:ConfigMap",
        "dashboard-infrastructure",
    ),
    (
        "components/grafana/grafana.py",
        '"allow_sign_up": False',
        '"allow_sign_up": True',
        "kubernetes:helm.sh/v3:Release",
        "grafana",
    ),
]


@pytest.mark.parametrize(("file", "old", "new", "type_", "name"), CHANGES)
def test_a_change_touches_one_object_in_place(
    project: Project, api: Api, file: str, old: str, new: str, type_: str, name: str
) -> None:
    path = project.folder / file
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new))
    try:
        assert project.previewed("local") == [("update", type_, name)]
        uid = api.get(f"/api/v1/namespaces/monitoring/configmaps/{name}")["metadata"]["uid"]
        assert project.up("local")["updated"] == 1
        assert api.get(f"/api/v1/namespaces/monitoring/configmaps/{name}")["metadata"]["uid"] == uid
    finally:
        path.write_text(before)
        project.up("local")


@pytest.mark.requirement("S-043", "S-049")
def test_secrets_are_nowhere_in_clear(project: Project, api: Api) -> None:
    exported = project.pulumi("local", "stack", "export").stdout
    places = {
        "the exported state": exported,
        "a ConfigMap": json.dumps(api.get("/api/v1/configmaps")),
        "a workload": json.dumps(
            [api.get(f"/apis/apps/v1/{kind}") for kind in ("deployments", "statefulsets", "daemonsets")]
        ),
        "a pod": json.dumps(api.get("/api/v1/pods")),
        "a Helm record": "".join(api.helm_records()),
    }
    assert len(api.helm_records()) >= 10
    for value in CANARIES.values():
        for place, text in places.items():
            assert value not in text, f"{value} is in {place}"
    decoded = json.dumps(api.get("/api/v1/namespaces/monitoring/secrets/grafana-admin")["data"])
    assert "admin-password" in decoded


def test_no_pod_and_no_role_breaks_a_rule(api: Api) -> None:
    workloads.check(api)


def test_each_pod_is_restricted(api: Api) -> None:
    pod_security.check(api)


def test_no_pod_goes_before_others(api: Api) -> None:
    workloads.check_priority(api)


def test_no_webhook_and_no_api_service_names_a_service(api: Api) -> None:
    for kind in ("validatingwebhookconfigurations", "mutatingwebhookconfigurations"):
        for item in api.get(f"/apis/admissionregistration.k8s.io/v1/{kind}")["items"]:
            assert not any("service" in hook["clientConfig"] for hook in item.get("webhooks", [])), item["metadata"][
                "name"
            ]
    for item in api.get("/apis/apiregistration.k8s.io/v1/apiservices")["items"]:
        assert not item["spec"].get("service"), item["metadata"]["name"]


@pytest.mark.requirement(
    "S-005", "S-063", "S-064", "S-065", "S-066", "S-068", "S-069", "S-070", "S-077", "S-078", "S-080",
)  # fmt: skip
def test_elastics_operator_made_the_workloads(project: Project, api: Api) -> None:
    elk.check(api, read_file(project.folder / "Pulumi.local.yaml"))


@pytest.mark.requirement("S-084", "S-085", "S-086", "S-122")
def test_jaegers_operator_made_the_workloads(project: Project, api: Api) -> None:
    jaeger.check(api, read_file(project.folder / "Pulumi.local.yaml"))


@pytest.mark.requirement("S-119", "S-120", "S-121")
def test_endpoints_lead_to_pods(api: Api) -> None:
    for part in ("prometheus", "alertmanager", "grafana"):
        slices = api.get(
            "/apis/discovery.k8s.io/v1/namespaces/monitoring/endpointslices"
            f"?labelSelector=kubernetes.io%2Fservice-name%3D{part}-external"
        )["items"]
        assert sum(len(one["endpoints"] or []) for one in slices) == 1, part


def test_outputs(project: Project) -> None:
    assert project.pulumi("local", "stack", "output", "grafanaUrl").stdout.strip() == "http://localhost:3000"
    outputs = json.loads(project.pulumi("local", "stack", "output", "--json").stdout)
    assert outputs["kibanaUrl"] == "https://localhost:5601"
    assert outputs["urls"]["jaeger"] == outputs["jaegerUrl"] == "http://localhost:16686"
