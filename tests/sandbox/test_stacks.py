"""The stacks of EKS on the sandbox, with the echo of AWS: up and destroy (what production keeps: tests/live/prod)."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.settings import read_file
from tests.sandbox import backups, elk, jaeger, pod_security, workloads
from tests.sandbox.conftest import Api, Project
from tests.sandbox.leftovers import left

CRDS = {
    # Elastic's charts keep them, so that no cluster of logs goes with its operator.
    "elasticsearches.elasticsearch.k8s.elastic.co",
    "kibanas.kibana.k8s.elastic.co",
    "logstashes.logstash.k8s.elastic.co",
    "beats.beat.k8s.elastic.co",
    # Helm never deletes what lies in a chart's crds/.
    "jaegers.jaegertracing.io",
}


DOMAIN = {"name": "monitoring.example.com", "zoneId": "Z0123456789ABCDEFGHIJ"}


@pytest.fixture
def on_sandbox(project: Project, request: pytest.FixtureRequest) -> Iterator[str]:
    """Bring a stack up, and destroy it in the end."""
    stack: str = request.param
    project.prepare(stack, exposure={"domain": DOMAIN})
    print(f"\n{stack} up: {project.up(stack)}")
    yield stack
    project.destroy(stack)


@pytest.mark.parametrize("on_sandbox", ["staging"], indirect=True)
@pytest.mark.requirement("S-117")
def test_staging_comes_up_and_stays(project: Project, api: Api, on_sandbox: str, tmp_path: Path) -> None:
    assert set(project.up(on_sandbox)) == {"unchanged"}
    elk.check(api, read_file(project.folder / "Pulumi.staging.yaml"))
    jaeger.check(api, read_file(project.folder / "Pulumi.staging.yaml"))
    workloads.check(api)
    pod_security.check(api)
    workloads.check_drains(api)
    workloads.check_priority(api)
    backups.check(api, read_file(project.folder / "Pulumi.staging.yaml"), project.sandbox.kubeconfig, tmp_path)
    assert api.get("/apis/storage.k8s.io/v1/storageclasses/gp3")["reclaimPolicy"] == "Delete"
    (port,) = api.get("/api/v1/namespaces/monitoring/services/grafana-external")["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (443, 3000)
    urls = json.loads(project.pulumi(on_sandbox, "stack", "output", "--json").stdout)["urls"]
    assert urls["grafana"] == "https://grafana.monitoring.example.com"


def test_destroyed_staging_leaves_crds_only(api: Api) -> None:
    assert left(api) == {
        "namespaces": set(),
        "cluster roles": set(),
        "bindings": set(),
        "storage classes": set(),
        "priority classes": set(),
        "Helm records": set(),
    }
    definitions = {
        item["metadata"]["name"] for item in api.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")["items"]
    }
    assert definitions >= CRDS


@pytest.mark.requirement("S-087", "S-088", "S-089", "S-090", "S-119", "S-121")
def test_production_comes_up_at_the_guides_size(project: Project, api: Api, tmp_path: Path) -> None:
    project.prepare("prod")
    print(f"\nprod up: {project.up('prod')}")
    assert set(project.up("prod")) == {"unchanged"}
    elk.check(api, read_file(project.folder / "Pulumi.prod.yaml"))
    jaeger.check(api, read_file(project.folder / "Pulumi.prod.yaml"))
    workloads.check(api)
    pod_security.check(api)
    workloads.check_drains(api)
    workloads.check_priority(api)
    backups.check(api, read_file(project.folder / "Pulumi.prod.yaml"), project.sandbox.kubeconfig, tmp_path)
    apps = "/apis/apps/v1/namespaces/monitoring"
    assert api.get(f"{apps}/statefulsets/prometheus")["spec"]["replicas"] == 2
    assert api.get(f"{apps}/statefulsets/alertmanager")["spec"]["replicas"] == 3
    traces = api.get(f"{apps}/statefulsets/mangakai-traces-es-default")
    assert traces["spec"]["replicas"] == 3
    (container,) = (c for c in traces["spec"]["template"]["spec"]["containers"] if c["name"] == "elasticsearch")
    assert container["resources"] == {
        "requests": {"cpu": "1", "memory": "4Gi"},
        "limits": {"cpu": "2", "memory": "4Gi"},
    }
    (claim,) = traces["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "100Gi"
    for part, resources in {
        "collector": {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        "query": {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"cpu": "500m", "memory": "512Mi"}},
    }.items():
        workload = api.get(f"{apps}/deployments/mangakai-jaeger-{part}")
        assert workload["spec"]["replicas"] == 2
        assert workload["spec"]["template"]["spec"]["containers"][0]["resources"] == resources
    # Prometheus, Alertmanager, Grafana, both stores, Logstash.
    assert len(api.claims()) == 2 + 3 + 1 + 3 + 3 + 2
    project.destroy("prod")
    api.core.delete_namespace("monitoring")
