"""Who enforces NetworkPolicies on a cluster is told, and that nobody does."""

from pathlib import Path
from typing import Any

import pytest
from kubernetes import config

from components.foundation import network_check
from components.settings import Settings
from tests.unit.components.foundation.cluster_api import CONTEXT, answering, lead_to

CLUSTER = {"name": "c", "region": "r", "context": CONTEXT, "server": "https://x"}
DAEMON_SETS = "/apis/apps/v1/daemonsets"
VPC_CNI = "/api/v1/namespaces/kube-system/configmaps/amazon-vpc-cni"
POLICIES = "/apis/networking.k8s.io/v1/namespaces/mangakai-prod/networkpolicies"


def daemon_set(name: str, *arguments: str) -> dict[str, Any]:
    containers = [{"name": "first"}, {"name": "second", "args": list(arguments)}]
    return {"metadata": {"name": name}, "spec": {"template": {"spec": {"containers": containers}}}}


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return what is told of a cluster with these objects, and what is refused."""

    def told(objects: dict[str, Any], refused: dict[str, int] | None = None, **network: bool) -> tuple[list[str], ...]:
        said: dict[str, list[str]] = {"info": [], "warn": []}
        for level, lines in said.items():
            monkeypatch.setattr(f"pulumi.log.{level}", lines.append)
        settings = Settings.model_validate({"cluster": CLUSTER, "network": network})
        with answering(objects, refused) as address:
            lead_to(address, tmp_path, monkeypatch)
            client = config.new_client_from_config(context=CONTEXT)  # type: ignore[no-untyped-call]
            network_check.tell_enforcer(settings, client)
            return said["info"], said["warn"], network_check.cut_off(settings, client)

    return told


@pytest.mark.parametrize(
    ("found", "who"),
    [
        ([daemon_set("calico-node"), daemon_set("aws-node", "--enable-network-policy=false")], "Calico"),
        ([daemon_set("cilium")], "Cilium"),
        ([daemon_set("kindnet")], "kindnet"),
        ([daemon_set("kube-router")], "kube-router"),
        ([daemon_set("kube-proxy"), daemon_set("aws-node", "--x", "--enable-network-policy=true")], "the VPC CNI"),
    ],
)
def test_who_enforces_them_is_told(ask: Any, found: list[Any], who: str) -> None:
    assert ask({DAEMON_SETS: {"items": found}}) == ([f"{who} enforces the NetworkPolicies"], [], [])


def test_eks_auto_mode_says_so_in_a_config_map(ask: Any) -> None:
    for value, told in {"true": 1, "false": 0}.items():
        objects = {DAEMON_SETS: {"items": []}, VPC_CNI: {"data": {"enable-network-policy-controller": value}}}
        informed, warned, _ = ask(objects)
        assert (len(informed), len(warned)) == (told, 1 - told)


def test_nobody_is_a_warning_with_the_way_out(ask: Any) -> None:
    found: dict[str, Any] = {
        DAEMON_SETS: {"items": [daemon_set("aws-node", "--enable-network-policy=false"), daemon_set("flannel")]}
    }
    # Of the two switches of the VPC CNI one alone enforces nothing.
    found[VPC_CNI] = {"data": {"enable-network-policy-controller": "true"}}
    informed, (line,), _ = ask(found)
    assert informed == []
    assert "nothing that is known enforces NetworkPolicies" in line
    assert "docs/network.md" in line


def test_without_policies_nothing_is_asked(ask: Any) -> None:
    assert ask({}, {"": 500}, policies=False) == ([], [], [])


def test_what_may_not_be_read_is_a_warning(ask: Any) -> None:
    informed, warned, refused = ask({}, {DAEMON_SETS: 403, POLICIES: 403}, application=True)
    assert (informed, refused) == ([], [])
    assert len(warned) == 2


def test_the_first_policy_of_the_application_is_refused_as_it_would_cut_it_off(ask: Any) -> None:
    own = {
        "metadata": {
            "labels": {"app.kubernetes.io/part-of": "mangakai-monitoring", "app.kubernetes.io/managed-by": "pulumi"}
        }
    }
    others: dict[str, Any] = {"metadata": {}}
    for items, count in (([], 1), ([own], 1), ([own, others], 0)):
        _, _, refused = ask({DAEMON_SETS: {"items": []}, POLICIES: {"items": items}}, application=True)
        assert len(refused) == count, items
    assert ask({DAEMON_SETS: {"items": []}})[2] == []
