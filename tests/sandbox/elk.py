"""What Elastic's operator makes of the custom resources: from a stack's settings to what the pods are given."""

import re
from typing import Any

import yaml

from components.elastic.users import CREATE_ONLY
from components.logs import filebeat, logstash
from components.settings import Settings
from components.settings.elastic import ElasticsearchSettings
from tests.sandbox.conftest import Api

MONITORING = "/apis/apps/v1/namespaces/monitoring"
AGENTS = "/apis/apps/v1/namespaces/monitoring-agents"


def check(api: Api, settings: Settings) -> None:
    """Assert that workloads, configurations, Secrets and ports are those that `settings` ask for."""
    for cluster, asked in {
        "mangakai-logs": settings.logs.elasticsearch,
        "mangakai-traces": settings.traces.elasticsearch,
    }.items():
        _elasticsearch(api, cluster, asked, settings)
    _users(api)
    _kibana(api, settings)
    _logstash(api, settings)
    _filebeat(api, settings)


def _elasticsearch(api: Api, cluster: str, asked: ElasticsearchSettings, settings: Settings) -> None:
    workload = api.made(f"{MONITORING}/statefulsets/{cluster}-es-default")
    assert workload["spec"]["replicas"] == asked.nodes
    container = _container(workload, "elasticsearch")
    assert container["image"].endswith(f":{asked.version}")
    assert container["resources"] == asked.resources.manifest(holds_memory=True)
    # Elasticsearch takes half of the limit for its heap, unless it is told another size.
    assert "ES_JAVA_OPTS" not in {variable["name"] for variable in container["env"]}
    (claim,) = workload["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == asked.storage
    assert claim["spec"]["storageClassName"] == settings.storage.storage_class
    config = yaml.safe_load(api.secret(f"{cluster}-es-default-es-config")["elasticsearch.yml"])
    assert config["cluster"]["name"] == cluster
    assert config["node"]["store"]["allow_mmap"] is False
    zones = "zone" in str(config["cluster"]["routing"]["allocation"]["awareness"]["attributes"])
    assert zones is (asked.nodes > 1)
    assert ("topology.kubernetes.io/zone" in str(workload["spec"]["template"]["spec"])) is zones
    budget = api.made(f"/apis/policy/v1/namespaces/monitoring/poddisruptionbudgets/{cluster}-es-default")
    allowed = asked.nodes - budget["spec"]["minAvailable"]
    print(f"\n{cluster}: {asked.nodes} nodes, {allowed} may be disrupted at a time, zones {zones}")


def _users(api: Api) -> None:
    realm = api.secret("mangakai-logs-es-xpack-file-realm")
    roles = {
        role: users.split(",") for role, users in (line.split(":") for line in realm["users_roles"].split() if line)
    }
    assert roles["logs_writer"] == ["logstash"]
    assert roles["logs_reader"] == ["grafana"]
    assert roles["metrics"] == ["metrics"]
    assert {user for role, users in roles.items() if role == "superuser" for user in users} <= {
        "elastic", "elastic-internal", "elastic-internal-diagnostics", "elastic-internal-pre-stop",
        "elastic-internal-probe",
    }  # fmt: skip
    privileges = yaml.safe_load(realm["roles.yml"])
    assert privileges["metrics"] == {"cluster": ["monitor"]}
    assert privileges["logs_writer"]["indices"][0]["privileges"] == CREATE_ONLY
    assert privileges["logs_reader"]["cluster"] == ["monitor"]
    assert privileges["logs_reader"]["indices"][0]["privileges"] == ["read", "view_index_metadata"]
    for role in ("logs_writer", "logs_reader"):
        assert all(name.startswith("mangakai-logs") for rule in privileges[role]["indices"] for name in rule["names"])


def _kibana(api: Api, settings: Settings) -> None:
    workload = api.made(f"{MONITORING}/deployments/kibana-kb")
    assert workload["spec"]["replicas"] == settings.logs.kibana.replicas
    assert _container(workload, "kibana")["resources"] == settings.logs.kibana.resources.manifest()
    config = yaml.safe_load(api.secret("kibana-kb-config")["kibana.yml"])
    assert config["telemetry"] == {"enabled": False}
    assert config["elasticsearch"]["hosts"] == ["https://mangakai-logs-es-http.monitoring.svc:9200"]
    assert config["server"]["publicBaseUrl"].startswith("https://")
    endpoint = api.get("/api/v1/namespaces/monitoring/services/kibana-external")["spec"]
    assert endpoint["selector"].items() <= workload["spec"]["template"]["metadata"]["labels"].items()
    (port,) = endpoint["ports"]
    assert port["targetPort"] in {each["containerPort"] for each in _container(workload, "kibana")["ports"]}


def _logstash(api: Api, settings: Settings) -> None:
    asked = settings.logs.logstash
    workload = api.made(f"{MONITORING}/statefulsets/logstash-ls")
    assert workload["spec"]["replicas"] == asked.replicas
    container = _container(workload, "logstash")
    assert container["resources"] == asked.resources.manifest()
    (claim,) = workload["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == asked.storage
    pipelines = yaml.safe_load(api.secret("logstash-ls-pipeline")["pipelines.yml"])
    assert pipelines == yaml.safe_load(logstash.pipelines_yml(asked.storage))
    variables = {variable["name"]: variable for variable in container["env"]}
    texts = logstash.pipelines()
    named = {name for text in texts.values() for name in re.findall(r"\$\{([A-Z_]+)\}", text)}
    assert named <= variables.keys()
    assert ("ALERTMANAGER_PASSWORD" in variables) is settings.exposure.authentication
    for name in variables:
        if source := variables[name].get("valueFrom", {}).get("secretKeyRef"):
            assert source["key"] in api.secret(source["name"]), name
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    for path in re.findall(r'"(/usr/share/logstash/\S+)/[\w.]+"', texts["main.conf"]):
        assert path in mounts
    (port,) = api.made("/api/v1/namespaces/monitoring/services/logstash-ls-beats")["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (5044, 5044)
    assert "port => 5044" in texts["main.conf"]


def _filebeat(api: Api, settings: Settings) -> None:
    workload = api.made(f"{AGENTS}/daemonsets/filebeat-beat-filebeat")
    container = _container(workload, "filebeat")
    assert container["resources"] == settings.logs.filebeat.resources.manifest()
    text = api.secret("filebeat-beat-filebeat-config", "monitoring-agents")["beat.yml"]
    host = logstash.beats("monitoring")
    assert yaml.safe_load(text) == _nested(
        filebeat.render(settings.logs.filebeat, host, settings.application.namespace)
    )
    volumes = {each["name"]: each for each in workload["spec"]["template"]["spec"]["volumes"]}
    # The registry is on the node: a restart sends nothing twice.
    (data,) = (mount for mount in container["volumeMounts"] if mount["mountPath"] == "/usr/share/filebeat/data")
    assert volumes[data["name"]]["hostPath"]["type"] == "DirectoryOrCreate"
    assert workload["spec"]["template"]["spec"]["serviceAccountName"] == "filebeat"
    assert workload["status"]["desiredNumberScheduled"] == 3


def _container(workload: dict[str, Any], name: str) -> dict[str, Any]:
    containers: list[dict[str, Any]] = workload["spec"]["template"]["spec"]["containers"]
    return next(container for container in containers if container["name"] == name)


def _nested(value: Any) -> Any:
    """Return settings as the operator writes them: keys with dots as mappings, an empty mapping as null."""
    if isinstance(value, list):
        return [_nested(each) for each in value]
    if not isinstance(value, dict):
        return value
    result: dict[str, Any] = {}
    for key, inner in value.items():
        place = result
        *parents, last = key.split(".")
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = _nested(inner)
    return result or None
