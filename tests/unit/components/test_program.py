"""The whole program under Pulumi's mocks: what holds for every resource of every stack."""

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import yaml

from components.foundation.chart_pins import PINS
from components.foundation.helm_records import RELEASE_TYPE as RELEASE
from components.foundation.kubernetes_secrets import web_config
from components.foundation.names import RELEASES
from components.foundation.ownership import OWNER, cluster_wide
from components.foundation.scheduling import ONE_AT_A_TIME
from components.settings import read_file, secrets
from tests.offline import ROOT, Registered, Run, canary, run

CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
SECRET = "kubernetes:core/v1:Secret"
SERVICE = "kubernetes:core/v1:Service"
CLUSTER_SCOPED = {
    "kubernetes:core/v1:Namespace",
    "kubernetes:storage.k8s.io/v1:StorageClass",
    "kubernetes:scheduling.k8s.io/v1:PriorityClass",
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole",
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding",
}


def values(release: Registered) -> dict[str, Any]:
    return dict(release.inputs["values"])


def named(stack: Run, type_: str, name: str) -> Registered:
    return next(resource for resource in stack.of_type(type_) if resource.name == name)


def plain(value: Any) -> str:
    """Return a value as text, without what is marked as secret."""
    if isinstance(value, dict):
        if "4dabf18193072939515e22adb298388d" in value:  # the engine's mark of a secret
            return ""
        return json.dumps({key: plain(inner) for key, inner in value.items()})
    if isinstance(value, list):
        return json.dumps([plain(inner) for inner in value])
    return str(value)


def test_every_resource_has_a_parent_and_a_provider_of_ours(stack: Run) -> None:
    assert len(stack.resources) > 50
    for resource in stack.resources:
        if resource.type.startswith("pulumi:providers:"):
            continue
        assert resource.parent, resource.name
        if resource.type.startswith("kubernetes:"):
            assert "pulumi:providers:kubernetes::cluster" in resource.provider, resource.name
        if resource.type.startswith("aws:"):
            assert "pulumi:providers:aws::aws" in resource.provider, resource.name
        if not resource.custom:
            assert resource.type.startswith("mangakai:monitoring:"), resource.type


def test_every_object_of_ours_has_a_name_a_namespace_and_labels(stack: Run) -> None:
    for resource in stack.resources:
        metadata = resource.inputs.get("metadata")
        if not resource.type.startswith("kubernetes:") or metadata is None:
            continue
        assert metadata["name"], resource.name
        assert metadata["labels"]["app.kubernetes.io/part-of"] == "mangakai-monitoring"
        if resource.type not in CLUSTER_SCOPED:
            # Where the events of nodes are.
            others = {"default"} if resource.name == "kubernetes-events-of-default" else set()
            assert metadata["namespace"] in {"monitoring", "monitoring-agents", "mangakai-prod"} | others, resource.name


def test_every_object_of_the_whole_cluster_names_its_stack_and_is_looked_for_before(
    runs: dict[str, Run], stack: Run
) -> None:
    (name,) = (name for name, run in runs.items() if run is stack)
    made = {
        f"{resource.inputs['kind'].lower()}/{resource.inputs['metadata']['name']}": resource.inputs["metadata"]
        for resource in stack.resources
        if resource.type.startswith("kubernetes:")
        and "namespace" not in resource.inputs.get("metadata", {"namespace": ""})
    }
    assert made.keys() == cluster_wide(read_file(ROOT / f"Pulumi.{name}.yaml")).keys()
    for metadata in made.values():
        assert metadata["annotations"] == {OWNER: f"mangakai-monitoring/{name}"}


@pytest.mark.requirement("S-123")
def test_every_release_is_named_pinned_and_bounded(stack: Run) -> None:
    releases = stack.of_type(RELEASE)
    assert {Path(release.inputs["chart"]).name.rsplit("-", 1)[0] for release in releases} == set(PINS)
    assert {(release.inputs["namespace"], release.name) for release in releases} == {
        (namespace, name) for namespace, names in RELEASES.items() for name in names
    }
    for release in releases:
        chart = Path(release.inputs["chart"]).name.rsplit("-", 1)[0]
        assert release.inputs["name"] == release.name
        assert release.inputs["version"] == PINS[chart].version
        assert 0 < release.inputs["timeout"] <= 1800
        assert release.inputs["cleanupOnFail"] is True
        assert release.inputs["maxHistory"] > 0
        assert release.inputs["createNamespace"] is False
        assert "null" not in json.dumps(values(release)), (
            f"{release.name} has a null, which providers treat differently"
        )


@pytest.mark.requirement("S-043")
def test_secrets_are_in_secrets_only(stack: Run) -> None:
    canaries = [canary(key) for key in secrets.PURPOSES]
    found = set()
    for resource in stack.resources:
        text = json.dumps(resource.inputs, default=str)
        found |= {(resource.type, value) for value in canaries if value in text}
        if resource.type != SECRET:
            assert not any(value in text for value in canaries), f"{resource.type} {resource.name} holds a secret"
        assert not any(value in plain(resource.inputs) for value in canaries), f"{resource.name}: not marked as secret"
    assert {value for _, value in found} >= {canary("smtpAuthPassword"), canary("grafanaAdminPassword")}
    assert not any(value in json.dumps(stack.outputs, default=str) for value in canaries)


@pytest.mark.requirement("S-002")
def test_every_datasource_that_a_dashboard_names_exists(stack: Run) -> None:
    provisioning = json.loads(named(stack, CONFIG_MAP, "grafana-datasources").inputs["data"]["datasources.yaml"])
    uids = {source["uid"] for source in provisioning["datasources"]}
    assert uids == {"prometheus", "alertmanager", "elasticsearch", "jaeger"}
    dashboards = [resource for resource in stack.of_type(CONFIG_MAP) if resource.name.startswith("dashboard-")]
    assert len(dashboards) >= 2
    for dashboard in dashboards:
        assert dashboard.inputs["metadata"]["labels"]["grafana_dashboard"] == "1"
        for text in dashboard.inputs["data"].values():
            for panel in json.loads(text)["panels"]:
                if panel["type"] != "row":
                    assert panel["datasource"]["uid"] in uids, panel["title"]


def test_endpoints_ask_who_is_there(runs: dict[str, Run]) -> None:
    for name in ("staging", "prod"):
        stack = runs[name]
        assert values(named(stack, RELEASE, "prometheus"))["server"]["extraArgs"]["web.config.file"]
        assert values(named(stack, RELEASE, "alertmanager"))["extraArgs"]["web.config.file"]
        assert values(named(stack, RELEASE, "grafana"))["grafana.ini"]["auth.anonymous"] == {"enabled": False}
        endpoints = [service for service in stack.of_type(SERVICE) if service.name.endswith("-external")]
        assert {service.name for service in endpoints} == {
            f"{part}-external" for part in ("prometheus", "alertmanager", "grafana", "kibana")
        }, "Jaeger has no login"
        for service in endpoints:
            annotations = service.inputs["metadata"]["annotations"]
            assert annotations["service.beta.kubernetes.io/aws-load-balancer-scheme"] == "internal"
            assert service.inputs["spec"]["loadBalancerSourceRanges"] == ["10.0.0.0/8"]
            assert service.inputs["spec"]["loadBalancerClass"] == "service.k8s.aws/nlb"
    assert "web-auth" not in {resource.name for resource in runs["local"].resources}


def test_the_web_password_opens_and_another_does_not() -> None:
    digest = json.loads(web_config("right"))["basic_auth_users"]["monitoring"].encode()
    assert bcrypt.checkpw(b"right", digest)
    assert not bcrypt.checkpw(b"wrong", digest)
    assert web_config("right") == web_config("right"), "another hash in each run would be a change in each preview"
    assert web_config("right").split("$")[3][:22] == web_config("other").split("$")[3][:22], (
        "the salt tells the password"
    )


def remote_write(stack: Run) -> dict[str, Any]:
    """Return how Prometheus sends to the long-term store."""
    text = named(stack, CONFIG_MAP, "prometheus-config").inputs["data"]["prometheus.yml"]
    (store,) = yaml.safe_load(text)["remote_write"]
    return dict(store)


def test_a_long_term_store_has_its_password_beside_the_one_of_the_web(tmp_path: Path) -> None:
    address = "https://aps-workspaces.eu-west-2.amazonaws.com/workspaces/ws-1/api/v1/remote_write"
    basic = run("prod", tmp_path, {"prometheus": {"remoteWrite": {"url": "https://store", "username": "mangakai"}}})
    assert canary("remoteWritePassword") in str(named(basic, SECRET, "prometheus-remote-write").inputs["stringData"])
    server = values(named(basic, RELEASE, "prometheus"))["server"]
    mounts = {mount["secretName"]: mount["mountPath"] for mount in server["extraSecretMounts"]}
    assert mounts.keys() == {"web-auth", "prometheus-remote-write"}
    password_file = f"{mounts['prometheus-remote-write']}/password"
    assert remote_write(basic)["basic_auth"] == {"username": "mangakai", "password_file": password_file}
    assert remote_write(basic)["send_exemplars"] is True

    signed = run("prod", tmp_path, {"prometheus": {"remoteWrite": {"url": address}}})
    assert "prometheus-remote-write" not in {resource.name for resource in signed.resources}
    assert len(values(named(signed, RELEASE, "prometheus"))["server"]["extraSecretMounts"]) == 1
    assert remote_write(signed)["sigv4"] == {"region": "eu-west-2"}
    assert remote_write(signed)["send_exemplars"] is False, "Amazon's service takes none"


def test_budgets_leave_a_disruption(runs: dict[str, Run]) -> None:
    prometheus = values(named(runs["prod"], RELEASE, "prometheus"))["server"]
    assert prometheus["replicaCount"] == 2
    assert prometheus["podDisruptionBudget"] == {"enabled": True, **ONE_AT_A_TIME}
    alertmanager = values(named(runs["prod"], RELEASE, "alertmanager"))
    assert alertmanager["replicaCount"] == 3
    assert alertmanager["podDisruptionBudget"] == ONE_AT_A_TIME
    assert alertmanager["extraArgs"]["enable-feature"] == "receiver-name-in-metrics"
    one = values(named(runs["staging"], RELEASE, "prometheus"))["server"]
    assert "podDisruptionBudget" not in one
    assert "podDisruptionBudget" not in values(named(runs["staging"], RELEASE, "alertmanager"))


def test_data_is_kept_in_production_only(runs: dict[str, Run]) -> None:
    kept = {resource.name for resource in runs["prod"].resources if resource.retain_on_delete}
    assert kept == {"monitoring", "key", "backup"}
    assert not any(resource.retain_on_delete for resource in runs["staging"].resources)
    for name, policy in (("prod", "DeleteOnScaledownOnly"), ("staging", "DeleteOnScaledownAndClusterDeletion")):
        for cluster in ("mangakai-logs", "mangakai-traces"):
            assert values(named(runs[name], RELEASE, cluster))["volumeClaimDeletePolicy"] == policy
    for name, policy in (("prod", "Retain"), ("staging", "Delete")):
        (storage_class,) = runs[name].of_type("kubernetes:storage.k8s.io/v1:StorageClass")
        assert storage_class.inputs["reclaimPolicy"] == policy


@pytest.mark.requirement("S-118")
def test_namespaces_enforce_pod_security(stack: Run) -> None:
    levels = {
        resource.name: {
            label.partition("/")[2]: level
            for label, level in resource.inputs["metadata"]["labels"].items()
            if label.startswith("pod-security.kubernetes.io/")
        }
        for resource in stack.of_type("kubernetes:core/v1:Namespace")
    }
    assert levels == {
        "monitoring": {"enforce": "baseline", "warn": "restricted", "audit": "restricted"},
        "monitoring-agents": {"enforce": "privileged"},
    }


def test_aws_is_encrypted_tagged_and_closed(runs: dict[str, Run]) -> None:
    assert not any(resource.type.startswith("aws:") for resource in runs["local"].resources)
    stack = runs["prod"]
    (provider,) = stack.of_type("pulumi:providers:aws")
    assert json.loads(provider.inputs["allowedAccountIds"]) == ["111122223333"]
    tags = json.loads(provider.inputs["defaultTags"])["tags"]
    assert tags == {"project": "mangakai-monitoring", "environment": "prod", "managed-by": "pulumi"}
    (storage_class,) = stack.of_type("kubernetes:storage.k8s.io/v1:StorageClass")
    assert storage_class.inputs["parameters"]["encrypted"] == "true"
    assert storage_class.inputs["parameters"]["kmsKeyId"]
    (key,) = stack.of_type("aws:kms/key:Key")
    assert key.inputs["enableKeyRotation"] is True
    (block,) = stack.of_type("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
    assert all(
        block.inputs[name] is True
        for name in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    )
    (policy,) = stack.of_type("aws:s3/bucketPolicy:BucketPolicy")
    (statement,) = json.loads(policy.inputs["policy"])["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    (versioning,) = stack.of_type("aws:s3/bucketVersioning:BucketVersioning")
    assert versioning.inputs["versioningConfiguration"]["status"] == "Enabled"


@pytest.mark.requirement("S-124")
def test_outputs_are_the_fixed_ones(runs: dict[str, Run]) -> None:
    fixed = {"prometheusUrl", "alertmanagerUrl", "grafanaUrl", "kibanaUrl", "otlpEndpoint", "namespace", "urls"}
    assert set(runs["local"].outputs) == fixed | {"jaegerUrl"}
    assert set(runs["prod"].outputs) == fixed | {"backupBucket"}
    assert runs["local"].outputs["grafanaUrl"] == "http://grafana-external.example.com:3000"
    assert runs["local"].outputs["kibanaUrl"] == "https://kibana-external.example.com:5601"


def test_the_jaeger_operator_has_its_certificate_before_it_starts(runs: dict[str, Run]) -> None:
    certificate = named(runs["local"], SECRET, "jaeger-operator-service-cert")
    assert certificate.inputs["type"] == "kubernetes.io/tls"
    assert set(certificate.ignore_changes) == {"stringData", "data"}, "a new pair in each run must change nothing"
    assert "jaeger-operator-service-cert" not in {resource.name for resource in runs["prod"].resources}
    secrets_read = {
        stack: values(named(runs[stack], RELEASE, "jaeger-operator"))["certs"]["certificate"]["secretName"]
        for stack in ("local", "prod")
    }
    assert secrets_read["local"] == certificate.inputs["metadata"]["name"] != secrets_read["prod"], (
        "two never share one"
    )
    names = [resource.name for resource in runs["local"].resources]
    assert names.index("jaeger-operator-service-cert") < names.index("mangakai-jaeger")


def test_what_the_api_server_changes_in_no_object_that_is_there_is_made_anew(runs: dict[str, Run]) -> None:
    for service in runs["prod"].of_type(SERVICE):
        if service.name.endswith("-external"):
            assert service.replace_on_changes == ("spec.type", "spec.loadBalancerClass")
    (storage_class,) = runs["prod"].of_type("kubernetes:storage.k8s.io/v1:StorageClass")
    assert set(storage_class.replace_on_changes) == {"reclaimPolicy", "parameters"}


def test_the_program_is_small() -> None:
    root = ROOT
    in_pods = {root / "components" / "logs" / name for name in ("index/set_up.py", "events/watch.py")}
    files = [root / "__main__.py", *(set((root / "components").rglob("*.py")) - in_pods)]
    lines = {path: [line for line in path.read_text().splitlines() if line.strip()] for path in files}
    assert len(lines[root / "__main__.py"]) <= 40
    assert max(map(len, lines.values())) <= 300
    assert sum(map(len, lines.values())) < 7500


def test_the_front_door_is_a_table_of_contents() -> None:
    """No conditional and no function of its own: what an area does not need, it leaves out itself."""
    statements = (ast.If, ast.IfExp, ast.Match, ast.FunctionDef, ast.Lambda, ast.comprehension, ast.While, ast.Try)
    found = [node for node in ast.walk(ast.parse((ROOT / "__main__.py").read_text())) if isinstance(node, statements)]
    assert [type(node).__name__ for node in found] == []


def test_the_arguments_of_components_are_given_by_name() -> None:
    """Two of one type that are swapped are found by no type checker."""
    components = 0
    for file in (ROOT / "components").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef) and node.name.endswith("Args"):
                components += 1
                (decorator,) = node.decorator_list
                assert ast.unparse(decorator) == "dataclass(frozen=True, kw_only=True)", f"{node.name} in {file}"
    assert components > 20


def test_a_start_imports_no_model_of_the_kubernetes_client() -> None:
    """Whatever a component imports of it counts at each preview; docs/performance.md."""
    script = """
import runpy, sys
from components.settings.errors import SettingsError
try:
    runpy.run_path("__main__.py")
except SettingsError:  # there is no engine that gives any
    print("components.logs.filebeat" in sys.modules, "kubernetes.client.models.v1_pod" in sys.modules)
"""
    command = [sys.executable, "-c", script]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.split() == ["True", "False"]
