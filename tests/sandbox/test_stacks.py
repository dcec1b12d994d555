"""The stacks of EKS on the sandbox, with the echo of AWS: up, destroy, and what production keeps."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.settings import read_file
from tests.sandbox import backups, elk, jaeger, workloads
from tests.sandbox.conftest import Api, Project
from tests.sandbox.workloads import BUILT_IN, BUILT_IN_ROLES

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


def left(api: Api) -> dict[str, set[str]]:
    """Return what is in the cluster of our namespaces and of the cluster's scope, by kind."""

    def names(path: str) -> set[str]:
        return {item["metadata"]["name"] for item in api.get(path)["items"]}

    def ours(path: str) -> set[str]:
        return {name for name in names(path) if not name.startswith(BUILT_IN) and name not in BUILT_IN_ROLES}

    return {
        "namespaces": names("/api/v1/namespaces") & {"monitoring", "monitoring-agents"},
        "cluster roles": ours("/apis/rbac.authorization.k8s.io/v1/clusterroles"),
        "bindings": ours("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"),
        "storage classes": names("/apis/storage.k8s.io/v1/storageclasses") - {"standard"},
        "Helm records": set(map(str, range(len(api.helm_records())))),
    }


@pytest.mark.parametrize("on_sandbox", ["staging"], indirect=True)
@pytest.mark.requirement("S-117")
def test_staging_comes_up_and_stays(project: Project, api: Api, on_sandbox: str, tmp_path: Path) -> None:
    assert set(project.up(on_sandbox)) == {"unchanged"}
    elk.check(api, read_file(project.folder / "Pulumi.staging.yaml"))
    jaeger.check(api, read_file(project.folder / "Pulumi.staging.yaml"))
    workloads.check(api)
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
        "Helm records": set(),
    }
    definitions = {
        item["metadata"]["name"] for item in api.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")["items"]
    }
    assert definitions >= CRDS


class TestProduction:
    """Production keeps its data: what a destroy leaves, the next `up` takes up."""

    claims: dict[str, str]

    @pytest.mark.requirement("S-087", "S-088", "S-089", "S-090", "S-119", "S-121")
    def test_it_comes_up_at_the_guides_size(self, project: Project, api: Api, tmp_path: Path) -> None:
        project.prepare("prod")
        print(f"\nprod up: {project.up('prod')}")
        assert set(project.up("prod")) == {"unchanged"}
        elk.check(api, read_file(project.folder / "Pulumi.prod.yaml"))
        jaeger.check(api, read_file(project.folder / "Pulumi.prod.yaml"))
        workloads.check(api)
        backups.check(api, read_file(project.folder / "Pulumi.prod.yaml"), project.sandbox.kubeconfig, tmp_path)
        apps = "/apis/apps/v1/namespaces/monitoring"
        assert api.get(f"{apps}/statefulsets/prometheus")["spec"]["replicas"] == 2
        assert api.get(f"{apps}/statefulsets/alertmanager")["spec"]["replicas"] == 3
        traces = api.get(f"{apps}/statefulsets/mangakai-traces-es-default")
        assert traces["spec"]["replicas"] == 3
        (container,) = (c for c in traces["spec"]["template"]["spec"]["containers"] if c["name"] == "elasticsearch")
        assert container["resources"] == {
            "requests": {"cpu": "1", "memory": "2Gi"},
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
        type(self).claims = api.claims()
        assert len(self.claims) == 2 + 3 + 1 + 3 + 3 + 2  # Prometheus, Alertmanager, Grafana, both stores, Logstash

    def test_a_destroy_leaves_the_namespace_and_its_volumes(self, project: Project, api: Api) -> None:
        print(f"\nprod destroy: {project.destroy('prod')}")
        assert left(api) == {
            "namespaces": {"monitoring"},
            "cluster roles": set(),
            "bindings": set(),
            "storage classes": set(),
            "Helm records": set(),
        }
        assert api.claims() == self.claims
        for kind in ("pods", "services", "secrets"):
            assert api.get(f"/api/v1/namespaces/monitoring/{kind}")["items"] == [], kind
        config_maps = api.get("/api/v1/namespaces/monitoring/configmaps")["items"]
        names = {item["metadata"]["name"] for item in config_maps}
        assert names <= {"kube-root-ca.crt", "elastic-licensing", "elastic-operator-uuid"}, "not in the README's list"

    def test_another_stack_does_not_take_what_was_kept(self, project: Project, api: Api) -> None:
        project.prepare("staging")
        done = project.pulumi("staging", "preview")
        assert done.returncode != 0
        assert (
            "namespace/monitoring: already there, and of stack mangakai-monitoring/prod; this is stack" in done.stdout
        )
        assert api.claims() == self.claims

    def test_the_next_up_takes_the_volumes(self, project: Project, api: Api) -> None:
        project.up("prod")
        assert api.claims() == self.claims
        project.destroy("prod")
        api.core.delete_namespace("monitoring")
