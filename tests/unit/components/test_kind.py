"""The stack `kind`, and the cluster that sandbox/kind.yaml describes for it."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.foundation.web_interfaces import WEB_INTERFACES
from components.settings import read_file
from components.settings.types import to_bytes
from development.charts_check import registered, rendered
from development.workload_rules.templates import templates
from sandbox import stand_ins
from sandbox.build import ensure
from sandbox.program_pins import HELM
from tests.offline import ROOT, Run

CLUSTER: dict[str, Any] = yaml.safe_load((ROOT / "sandbox" / "kind.yaml").read_text())
MOST = 5.5 * 2**30


@pytest.fixture
def stack(runs: dict[str, Run]) -> Run:
    return runs["kind"]


def test_the_stack_belongs_to_the_cluster_that_the_file_describes() -> None:
    settings, network = read_file(ROOT / "Pulumi.kind.yaml"), CLUSTER["networking"]
    assert settings.cluster.context == f"kind-{CLUSTER['name']}"
    assert settings.cluster.server == f"https://{network['apiServerAddress']}:{network['apiServerPort']}"


def test_each_interface_has_a_port_of_the_nodes_that_kind_opens_on_this_machine_only(stack: Run) -> None:
    services = {one.name: one.inputs for one in stack.of_type("kubernetes:core/v1:Service")}
    ports = {
        name.removesuffix("-external"): inputs["spec"]["ports"][0]["nodePort"] for name, inputs in services.items()
    }
    assert ports == {name: interface.node_port for name, interface in WEB_INTERFACES.items()}
    assert all(30000 <= port <= 32767 for port in ports.values())
    assert {inputs["spec"]["type"] for inputs in services.values()} == {"NodePort"}
    (node,) = CLUSTER["nodes"]
    assert sorted(node["extraPortMappings"], key=lambda one: int(one["hostPort"])) == [
        {"containerPort": port, "hostPort": port, "listenAddress": "127.0.0.1"} for port in sorted(ports.values())
    ]


def test_the_urls_lead_there(stack: Run) -> None:
    urls = {name: f"http://localhost:{interface.node_port}" for name, interface in WEB_INTERFACES.items()}
    assert stack.outputs["urls"].items() >= (urls | {"kibana": "https://localhost:30056"}).items()


def test_nobody_is_mailed(stack: Run) -> None:
    text = next(one for one in stack.resources if one.name == "alertmanager-config").inputs["data"]["alertmanager.yml"]
    addresses = re.findall(r"[\w.-]+@[\w.-]+|smtp_smarthost: \S+", text)
    assert len(addresses) >= 4
    assert [one for one in addresses if "mail.invalid" not in one] == []


@pytest.mark.built
def test_it_asks_for_what_a_laptop_has(tmp_path: Path) -> None:
    ensure([HELM])
    stand_ins.pack(tmp_path)
    releases, objects = registered(["kind"])
    made = [manifest for _, manifests in rendered(releases, tmp_path) for manifest in manifests.values()]
    asked = {
        container.where: to_bytes(str(container.spec.get("resources", {}).get("requests", {}).get("memory", "0")))
        for manifest in [*objects, *made]
        for template in templates(manifest)
        for container in template.containers()
        if container.runs_on
    }
    assert len(asked) > 20
    assert all(asked.values()), [where for where, memory in asked.items() if not memory]
    print(f"\n{sum(asked.values()) / 2**30:.2f} GiB in {len(asked)} containers")
    assert sum(asked.values()) <= MOST
    told = re.search(r"It asks for (\d\.\d) GiB", (ROOT / "docs" / "kind.md").read_text())
    assert told
    assert float(told[1]) == pytest.approx(sum(asked.values()) / 2**30, abs=0.1)
