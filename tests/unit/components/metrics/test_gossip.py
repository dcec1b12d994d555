"""The certificates of Alertmanager's gossip: who has which, who reads them, and what their end changes."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from pulumi.runtime import rpc

from components.foundation.certificate import UNTIL
from components.metrics import gossip
from tests.offline import Run, canary, run

SECRET, RELEASE, CONFIG_MAP = (
    "kubernetes:core/v1:Secret",
    "kubernetes:helm.sh/v3:Release",
    "kubernetes:core/v1:ConfigMap",
)


@pytest.fixture(scope="module")
def charts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("charts")


@pytest.fixture(scope="module")
def prod(charts: Path) -> Run:
    return run("prod", charts)


def values(stack: Run) -> dict[str, Any]:
    """Return the values of Alertmanager's chart."""
    (release,) = (one for one in stack.of_type(RELEASE) if one.name == "alertmanager")
    return dict(release.inputs["values"])


def files(stack: Run, name: str = gossip.SECRET) -> dict[str, str]:
    """Return what a Secret holds."""
    (secret,) = (one for one in stack.of_type(SECRET) if one.inputs["metadata"]["name"] == name)
    data = rpc.unwrap_rpc_secret(secret.inputs["stringData"])
    return {file: str(rpc.unwrap_rpc_secret(text)) for file, text in data.items()}


def certificate_end(stack: Run) -> datetime:
    return x509.load_pem_x509_certificate(files(stack)["tls.crt"].encode()).not_valid_after_utc


def watched_end(stack: Run) -> datetime:
    """Return when a certificate ends, as the alert has it."""
    (rules,) = (one for one in stack.of_type(CONFIG_MAP) if one.name == "prometheus-rules")
    (group,) = yaml.safe_load(rules.inputs["data"]["certificates.yml"])["groups"]
    (rule,) = group["rules"]
    assert rule["alert"] == "CertificateEnding"
    seconds = rule["expr"].partition("vector(")[2].partition(")")[0]
    return datetime.fromtimestamp(int(seconds), UTC)


def test_replicas_ask_each_other_for_a_certificate(prod: Run) -> None:
    config = yaml.safe_load(files(prod)["tls-config.yml"])
    assert config["tls_server_config"]["client_auth_type"] == "RequireAndVerifyClientCert"
    named = {value for side in config.values() for key, value in side.items() if key.endswith("_file")}
    assert named == {"ca.crt", "tls.crt", "tls.key"} == files(prod).keys() - {"tls-config.yml"}
    leaf = x509.load_pem_x509_certificate(files(prod)["tls.crt"].encode())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [config["tls_client_config"]["server_name"]]


def test_the_chart_mounts_what_the_flag_names(prod: Run) -> None:
    folder, _, file = values(prod)["extraArgs"]["cluster.tls-config"].rpartition("/")
    (mount,) = (one for one in values(prod)["extraSecretMounts"] if one["mountPath"] == folder)
    assert mount == {"name": "gossip", "secretName": gossip.SECRET, "mountPath": folder, "readOnly": True}
    assert file in files(prod)
    (release,) = (one for one in prod.of_type(RELEASE) if one.name == "alertmanager")
    (secret,) = (one for one in prod.of_type(SECRET) if one.name == gossip.SECRET)
    assert secret.urn in release.dependencies


def test_one_alone_does_not_listen(charts: Path) -> None:
    for stack in ("local", "kind", "staging"):
        alone = run(stack, charts)
        assert values(alone)["replicaCount"] == 1
        assert values(alone)["extraArgs"]["cluster.listen-address"] == ""
        assert gossip.SECRET not in {one.name for one in alone.of_type(SECRET)}
        assert watched_end(alone) == UNTIL


def test_no_other_part_has_a_certificate_of_its_authority(prod: Run) -> None:
    """Filebeat's lies on every node."""
    authorities = [files(prod, name)["ca.crt"] for name in (gossip.SECRET, "filebeat-certificate")]
    assert len(set(authorities)) == 2


def test_the_end_of_the_certificate_is_watched(prod: Run) -> None:
    assert watched_end(prod) == certificate_end(prod) == gossip.certificate_until()


def test_a_renewal_restarts_nothing(prod: Run, charts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later = datetime(2040, 1, 1, tzinfo=UTC)
    monkeypatch.setattr(gossip, "certificate_until", lambda: later)
    renewed = run("prod", charts)
    before = {one.urn: one.inputs for one in prod.resources}
    changed = {one.name for one in renewed.resources if one.inputs != before[one.urn]}
    assert changed == {gossip.SECRET, "prometheus-rules"}
    assert watched_end(renewed) == certificate_end(renewed) == later


def test_another_authority_restarts_the_replicas(prod: Run, charts: Path) -> None:
    other = run("prod", charts, {"internalSeed": f"{canary('internalSeed')}-another"})
    assert files(other)["ca.crt"] != files(prod)["ca.crt"]
    assert values(other)["podAnnotations"] != values(prod)["podAnnotations"]
