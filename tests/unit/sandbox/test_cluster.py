"""What a sandbox's cluster is made of, as far as it can be told without one."""

from ipaddress import IPv4Network, ip_address
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import cluster
from sandbox.layout import Sandbox, ports_from

# RFC 2544: reserved, so that nothing on a real network is ever dialled by mistake.
NOBODY = IPv4Network("198.18.0.0/15")


def documents(pattern: str) -> list[dict[str, Any]]:
    files = sorted(cluster.MANIFESTS.glob(pattern))
    assert files
    return [document for file in files for document in yaml.safe_load_all(file.read_text())]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    monkeypatch.setenv("MANGAKAI_CACHE", str(tmp_path))
    stages = tmp_path / "kwok-stages"
    stages.mkdir()
    for name in ("node-initialize", "pod-ready", "pvc-provision"):
        (stages / f"{name}.yaml").write_text(yaml.safe_dump({"kind": "Stage", "metadata": {"name": name}}))
    return cluster._settings(Sandbox(tmp_path / "sandbox", ports_from(30000)))


def test_three_nodes_in_three_zones_at_nobodys_addresses() -> None:
    nodes = [document for document in documents("*.yaml") if document["kind"] == "Node"]
    assert {node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in nodes} == {
        f"ap-southeast-1{zone}" for zone in "abc"
    }
    for node in nodes:
        assert IPv4Network(node["spec"]["podCIDR"]).subnet_of(NOBODY)
        addresses = {address["type"]: address["address"] for address in node["status"]["addresses"]}
        assert ip_address(addresses["InternalIP"]) in NOBODY
        assert addresses["ExternalDNS"] == "localhost"
    assert len({node["spec"]["podCIDR"] for node in nodes}) == 3


def test_nothing_makes_the_api_server_dial_a_service() -> None:
    kinds = {document["kind"] for document in documents("*.yaml")}
    assert not kinds & {"APIService", "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"}


def test_one_storage_class_is_the_default() -> None:
    classes = [document for document in documents("*.yaml") if document["kind"] == "StorageClass"]
    default = "storageclass.kubernetes.io/is-default-class"
    assert [one["metadata"]["name"] for one in classes if one["metadata"]["annotations"][default] == "true"] == [
        "standard"
    ]


def test_servers_listen_on_this_machine_only_and_on_the_sandboxs_ports(settings: list[dict[str, Any]]) -> None:
    options = settings[0]["options"]
    assert options["bindAddress"] == "127.0.0.1"
    ports = [value for name, value in options.items() if name.endswith("Port")]
    assert sorted(ports) == list(range(30000, 30006))


def test_kwoks_own_volumes_give_way_to_ours(settings: list[dict[str, Any]]) -> None:
    names = [stage["metadata"]["name"] for stage in settings[1:]]
    assert names == [
        "node-initialize",
        "pod-ready",
        "load-balancer-address",
        "volume-provision",
        "volume-resize",
        "volume-delete",
    ]
