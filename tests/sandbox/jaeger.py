"""What Jaeger's operator makes of the custom resource: from a stack's settings to what the pods are given."""

import json
from typing import Any

import bcrypt
import yaml

from components.elastic import users as access
from components.settings import Settings
from components.traces import indices
from tests.sandbox.conftest import Api

NAMESPACE = "monitoring"
SERVICES = f"/api/v1/namespaces/{NAMESPACE}/services"
STORAGE = "https://mangakai-traces-es-http.monitoring.svc:9200"
CA = "/etc/elasticsearch/certificates"


def check(api: Api, settings: Settings) -> None:
    """Assert that workloads, arguments, Secrets and ports are those that `settings` ask for."""
    resource = api.get(f"/apis/jaegertracing.io/v1/namespaces/{NAMESPACE}/jaegers/mangakai-jaeger")
    assert resource["status"]["phase"] == "Running"
    traces = settings.traces
    replicas = int(traces.elasticsearch.nodes > 1)
    shared = {
        "--es.index-prefix=mangakai", f"--es.num-replicas={replicas}", f"--es.server-urls={STORAGE}",
        f"--es.tls.ca={CA}/ca.crt", "--es.tls.enabled=true",
        "--es.num-shards=1", f"--es.max-span-age={indices.looked_back(traces.retention_days)}",
    }  # fmt: skip
    sampling = {"--sampling.strategies-file=/etc/jaeger/sampling/sampling.json"}
    for part, asked, own in (
        ("collector", traces.collector, sampling | {"--sampling.strategies-reload-interval=30s"}),
        ("query", traces.query, {"--query.ui-config=/etc/config/ui.json"}),
    ):
        workload = api.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/mangakai-jaeger-{part}")
        assert workload["spec"]["replicas"] == asked.replicas
        # Neither an agent beside it, which Jaeger no longer has, nor another sidecar.
        (container,) = workload["spec"]["template"]["spec"]["containers"]
        assert container["image"] == f"jaegertracing/jaeger-{part}:1.76.0"
        assert container["resources"] == asked.resources.manifest()
        assert set(container["args"]) == shared | own
        _storage(api, workload["spec"]["template"]["spec"])
    _sampling(api, settings.application.open_telemetry.sample_ratio)
    _index_cleaner(api, traces.retention_days)
    _user(api)
    _ports(api, settings)


def pod_of(api: Api, part: str) -> dict[str, Any]:
    """Return the pod's spec of `collector`, `query` or `es-index-cleaner`."""
    if part == "es-index-cleaner":
        job = api.get(f"/apis/batch/v1/namespaces/{NAMESPACE}/cronjobs/mangakai-jaeger-{part}")
        template = job["spec"]["jobTemplate"]["spec"]["template"]
    else:
        template = api.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/mangakai-jaeger-{part}")["spec"][
            "template"
        ]
    pod: dict[str, Any] = template["spec"]
    return pod


def _storage(api: Api, pod: dict[str, Any]) -> None:
    """Assert that a pod has the login, and the CA that has signed the certificate of Elasticsearch."""
    (container,) = pod["containers"]
    (source,) = container["envFrom"]
    assert api.secret(source["secretRef"]["name"]).keys() == {"ES_USERNAME", "ES_PASSWORD"}
    (mount,) = (each for each in container["volumeMounts"] if each["mountPath"] == CA)
    assert mount["readOnly"]
    (volume,) = (each for each in pod["volumes"] if each["name"] == mount["name"])
    assert volume["secret"]["secretName"] == "mangakai-traces-es-http-certs-public"
    assert "BEGIN CERTIFICATE" in api.secret(volume["secret"]["secretName"])["ca.crt"]


def _sampling(api: Api, ratio: float) -> None:
    (volume,) = (each for each in pod_of(api, "collector")["volumes"] if "configMap" in each)
    strategies = json.loads(api.config_map(volume["configMap"]["name"])["sampling"])
    assert strategies == {"default_strategy": {"type": "probabilistic", "param": ratio}}


def _index_cleaner(api: Api, retention_days: int) -> None:
    job = api.get(f"/apis/batch/v1/namespaces/{NAMESPACE}/cronjobs/mangakai-jaeger-es-index-cleaner")
    assert job["spec"]["schedule"] == "55 23 * * *"
    assert not job["spec"].get("suspend")
    pod = pod_of(api, "es-index-cleaner")
    (container,) = pod["containers"]
    assert container["image"] == "jaegertracing/jaeger-es-index-cleaner:1.76.0"
    assert container["args"] == [str(retention_days), STORAGE]
    environment = {each["name"]: each["value"] for each in container["env"]}
    assert environment == {"INDEX_PREFIX": "mangakai", "ES_TLS_ENABLED": "true", "ES_TLS_CA": f"{CA}/ca.crt"}
    _storage(api, pod)


def _user(api: Api) -> None:
    """Assert that Elasticsearch is given the user with which Jaeger logs in, and how little that may do."""
    login, realm = api.secret("mangakai-jaeger-elasticsearch"), api.secret("mangakai-traces-es-xpack-file-realm")
    hashes = dict(line.split(":", 1) for line in realm["users"].split())
    assert bcrypt.checkpw(login["ES_PASSWORD"].encode(), hashes[login["ES_USERNAME"]].encode())
    assert f"jaeger:{login['ES_USERNAME']}" in realm["users_roles"].split()
    assert yaml.safe_load(realm["roles.yml"])["jaeger"] == {
        "cluster": ["monitor", "manage_index_templates"],
        "indices": [{"names": ["mangakai-jaeger-*"], "privileges": access.TRACE_PRIVILEGES}],
    }


def _ports(api: Api, settings: Settings) -> None:
    for service, part, port in (
        ("mangakai-jaeger-collector", "collector", 4318),
        ("mangakai-jaeger-query", "query", 16686),
        *([("jaeger-external", "query", 16686)] if settings.exposure.jaeger else []),
    ):
        found = api.get(f"{SERVICES}/{service}")["spec"]
        workload = api.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/mangakai-jaeger-{part}")
        assert found["selector"].items() <= workload["spec"]["template"]["metadata"]["labels"].items()
        (target,) = (each["targetPort"] for each in found["ports"] if each["port"] == port)
        assert target in {each["containerPort"] for each in pod_of(api, part)["containers"][0]["ports"]}
