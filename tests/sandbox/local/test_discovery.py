"""What each scrape job finds on a real API server: real discovery and relabelling, nothing is scraped."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox import cluster
from tests.sandbox import discovery
from tests.sandbox.conftest import Api, Project

APPLICATION = Path(__file__).parent / "application.yaml"
Discover = Callable[[str], discovery.Targets]


@pytest.fixture(scope="module", autouse=True)
def application(project: Project, api: Api) -> Iterator[None]:
    cluster.apply(project.sandbox, APPLICATION)
    ready = {"backend": 2, "redis": 2}
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        pods = api.get("/api/v1/namespaces/mangakai-prod/pods")["items"]
        phases = [pod["status"].get("phase") for pod in pods]
        if len(pods) == sum(ready.values()) + 4 and phases.count("Succeeded") == 1 and phases.count("Running") == 7:
            break
        time.sleep(0.2)
    address = {"status": {"podIP": "fd00::7", "podIPs": [{"ip": "fd00::7"}]}}
    cluster.kubectl(
        project.sandbox,
        "-n",
        "mangakai-prod",
        "patch",
        "pod",
        "worker-v6",
        "--subresource=status",
        f"-p={json.dumps(address)}",
    )
    yield
    cluster.kubectl(project.sandbox, "delete", "--force", "--wait=false", "-f", str(APPLICATION))


@pytest.fixture(scope="module")
def discover(project: Project, api: Api, tmp_path_factory: pytest.TempPathFactory) -> Discover:
    """Return a function from a job to its targets' labels, as promtool finds them with the job that is deployed."""
    folder = tmp_path_factory.mktemp("discovery")
    return lambda job: discovery.discover(api, project.sandbox.kubeconfig, folder, job)


@pytest.mark.requirement("S-018")
def test_both_backend_pods_by_their_metrics_port(discover: Discover) -> None:
    targets = discover("mangakai-backend")
    assert [target["namespace"] for target in targets] == ["mangakai-prod", "mangakai-prod"]
    assert len({target["pod"] for target in targets}) == 2
    assert all(target["pod"].startswith("mangakai-backend-") for target in targets)
    assert all(target["instance"].endswith(":8001") for target in targets)
    assert all(target["service"] == "mangakai-backend-service" and target["node"] for target in targets)


@pytest.mark.requirement("S-019")
def test_both_redis_replicas_not_their_service(discover: Discover, api: Api) -> None:
    targets = discover("redis")
    assert sorted(target["pod"] for target in targets) == ["redis-0", "redis-1"]
    virtual = api.get("/api/v1/namespaces/mangakai-prod/services/mangakai-redis-service")["spec"]["clusterIP"]
    assert all(target["instance"].endswith(":9121") and virtual not in target["instance"] for target in targets)


@pytest.mark.requirement("S-017")
def test_pods_that_ask(discover: Discover) -> None:
    by_pod = {target["pod"]: target for target in discover("kubernetes-pods")}
    assert set(by_pod) == {"worker", "worker-v6"}, "the completed job, or one that did not ask, is among them"
    worker = by_pod["worker"]
    assert worker["__scheme__"] == "https"
    assert worker["__metrics_path__"] == "/internal/metrics"
    assert worker["instance"].endswith(":8002")
    assert worker["app"] == "worker"
    assert "pod_template_hash" not in worker
    assert by_pod["worker-v6"]["instance"] == "[fd00::7]:8002"
    assert by_pod["worker-v6"]["__scheme__"] == "http"


@pytest.mark.requirement("S-016", "S-022")
def test_every_node(discover: Discover) -> None:
    for job, path in (("kubernetes-nodes", "/metrics"), ("kubernetes-nodes-cadvisor", "/metrics/cadvisor")):
        targets = discover(job)
        assert len({target["node"] for target in targets}) == 3
        assert {target["__metrics_path__"] for target in targets} == {path}
        assert {target["__scheme__"] for target in targets} == {"https"}
    exporters = discover("node-exporter")
    assert len({target["node"] for target in exporters}) == 3
    assert all(target["instance"].endswith(":9100") for target in exporters)


@pytest.mark.requirement("S-015")
def test_the_api_server(discover: Discover) -> None:
    (target,) = discover("kubernetes-apiservers")
    assert target["__scheme__"] == "https"


def test_the_exporter_of_each_elasticsearch(discover: Discover) -> None:
    targets = discover("elasticsearch")
    assert [target["elasticsearch"] for target in targets] == [
        target["pod"].partition("-exporter-")[0] for target in targets
    ]
    assert {target["elasticsearch"] for target in targets} == {"mangakai-logs", "mangakai-traces"}
    assert all(target["instance"].endswith(":9114") and target["namespace"] == "monitoring" for target in targets)


@pytest.mark.parametrize(
    ("job", "port"),
    [
        ("kube-state-metrics", 8080),
        ("prometheus", 9090),
        ("alertmanager", 9093),
        ("grafana", 3000),
        ("jaeger-collector", 14269),
        ("jaeger-query", 16687),
        ("elastic-operator", 8080),
        ("jaeger-operator", 8383),
    ],
)
def test_the_stack_itself(discover: Discover, job: str, port: int) -> None:
    (target,) = discover(job)
    assert target["instance"].endswith(f":{port}")
    assert target["namespace"] == "monitoring"
    assert target["pod"]
