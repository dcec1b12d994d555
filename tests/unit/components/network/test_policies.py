"""What the NetworkPolicies of a stack allow and refuse, as they are registered."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.offline import ROOT, Run, before, run
from tests.parts import PARTS
from tests.unit.components.network.evaluated import End, allowed

POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
APPLICATION = "mangakai-prod"
API_SERVER, WORLD, CLIENT = "198.18.0.10", "203.0.113.9", "10.3.2.1"
EXISTING = {"traces": {"certManager": "existing"}}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    return {stack: run(stack, tmp_path_factory.mktemp(stack)) for stack in ("local", "prod")}


def policies(stack: Run) -> list[dict[str, Any]]:
    return [one.inputs for one in stack.of_type(POLICY)]


def end(name: str) -> End:
    """Return the end that a table calls so."""
    if name in PARTS:
        return End(PARTS[name].namespace, PARTS[name].labels)
    if name == "the API server":
        return End(address=API_SERVER)
    # On the live cluster a pod of this namespace plays the world.
    others = {"the application": APPLICATION, "a stranger": "default", "the world": "internet"}
    return End(others[name])


def changed(folder: Path, stack: str = "prod", **settings: Any) -> list[dict[str, Any]]:
    """Return the policies of a stack with other settings."""
    return policies(run(stack, folder, settings))


@pytest.mark.parametrize("stack", ["local", "prod"])
def test_the_connections_are_those_of_the_table_and_no_others(runs: dict[str, Run], stack: str) -> None:
    """The table is tried in full on the live cluster."""
    table = yaml.safe_load((ROOT / "tests" / "live" / stack / "connections.yaml").read_text())
    names, found = {*PARTS, "the application", "a stranger"}, {}
    for row in table:
        of, _, port = row.rpartition(":")
        if of:
            sources = {name for name in names if allowed(policies(runs[stack]), end(name), end(of), int(port))}
            # What is alone reaches no other one of its kind.
            found[row] = sorted(sources - ({of} if stack == "local" or of == "a stranger" else set()))
    asked = {row: sources for row, sources in table.items() if row in found}
    print(f"\n{sum(map(len, found.values()))} of {len(names) * len(found)} allowed")
    assert found == asked


@pytest.mark.parametrize("stack", ["local", "prod"])
def test_no_part_reaches_another_at_a_port_that_no_row_names(runs: dict[str, Run], stack: str) -> None:
    table = yaml.safe_load((ROOT / "tests" / "live" / stack / "connections.yaml").read_text())
    found = policies(runs[stack])
    named = {port["port"] for one in found for rule in one["spec"].get("ingress", []) for port in rule.get("ports", [])}
    for name in PARTS:
        for port in {*named, 22, 8080}:
            if f"{name}:{int(port)}" not in table:
                reached = {other for other in PARTS if other != name and allowed(found, end(other), end(name), port)}
                assert reached == set(), f"{name}:{port}"


def test_each_namespace_refuses_what_no_policy_allows_and_begins_last(runs: dict[str, Run]) -> None:
    for stack in runs.values():
        denying = [one for one in stack.of_type(POLICY) if one.inputs["spec"]["podSelector"] == {}]
        assert {one.inputs["metadata"]["namespace"] for one in denying} == {"monitoring", "monitoring-agents"}
        allowing = {one.urn for one in stack.of_type(POLICY)} - {one.urn for one in denying}
        for one in denying:
            assert one.inputs["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
            assert allowing <= before(one, stack)


def test_every_workload_comes_after_the_policies(runs: dict[str, Run]) -> None:
    """Nobody is let in while the pods start."""
    for stack in runs.values():
        urns = {one.urn for one in stack.of_type(POLICY)}
        workloads = [*stack.of_type("kubernetes:helm.sh/v3:Release"), *stack.of_type("kubernetes:batch/v1:Job")]
        assert len(workloads) > 10
        for one in workloads:
            assert urns <= before(one, stack), one.name


def test_without_the_setting_there_are_none(tmp_path: Path) -> None:
    assert changed(tmp_path, network={"policies": False}) == []


def test_people_come_through_load_balancers_in_private_networks_and_from_whom_these_admit(tmp_path: Path) -> None:
    def admits(found: list[dict[str, Any]], address: str, part: str, port: int) -> bool:
        return allowed(found, End(address=address), end(part), port)

    found = changed(tmp_path, exposure={"sourceRanges": ["203.0.113.0/24"]})
    for part, port in {"prometheus": 9090, "alertmanager": 9093, "grafana": 3000, "kibana": 5601}.items():
        assert all(admits(found, address, part, port) for address in (CLIENT, "100.64.1.1", WORLD)), part
        assert not admits(found, "198.51.100.1", part, port), part
        assert not admits(found, CLIENT, part, port + 1), part
    # Jaeger asks nobody who it is, so it has no load balancer.
    assert not admits(found, CLIENT, "mangakai-jaeger-query", 16686)

    (tmp_path / "narrow").mkdir()
    narrow = changed(
        tmp_path / "narrow", exposure={"jaeger": True}, network={"loadBalancers": ["10.3.0.0/16", "fd00:1::/64"]}
    )
    assert admits(narrow, CLIENT, "grafana", 3000)
    assert admits(narrow, "fd00:1::7", "mangakai-jaeger-query", 16686)
    assert not any(admits(narrow, address, "grafana", 3000) for address in (WORLD, "10.4.0.1", "100.64.1.1"))


def test_a_load_balancer_that_admits_everybody_is_let_in_from_anywhere(tmp_path: Path) -> None:
    found = changed(tmp_path, exposure={"loadBalancer": "nodePort", "nodeAddress": "node"}, aws={})
    assert allowed(found, End(address=WORLD), end("grafana"), 3000)
    assert not allowed(found, End(address=WORLD), end("grafana"), 9094)


def test_addresses_outside_are_those_of_the_settings(tmp_path: Path) -> None:
    network = {"nodes": ["10.1.0.0/16"], "apiServer": ["10.2.0.0/28"], "outside": ["192.0.2.0/24"]}
    found = changed(tmp_path, network=network, cluster={**CLUSTER, "elasticWebhook": True})

    def reached(name: str, port: int) -> set[str]:
        addresses = {"node": "10.1.0.1", "api": "10.2.0.1", "outside": "192.0.2.1", "else": WORLD}
        return {what for what, each in addresses.items() if allowed(found, end(name), End(address=each), port)}

    assert reached("prometheus", 10250) == reached("prometheus", 9100) == {"node"}
    assert reached("prometheus", 443) == {"api", "outside"}
    assert reached("kube-state-metrics", 443) == {"api"}
    assert reached("alertmanager", 587) == reached("alertmanager", 443) == {"outside"}
    assert reached("logstash", 443) == set()
    for operator in ("elastic-operator", "jaeger-operator"):
        assert allowed(found, End(address="10.2.0.1"), end(operator), 9443)
        assert not allowed(found, End(address=WORLD), end(operator), 9443)


CLUSTER = {"name": "mangakai-prod", "region": "ap-southeast-1", "context": "mangakai-prod", "server": "https://x"}


def test_webhooks_are_reached_where_there_are_any(runs: dict[str, Run]) -> None:
    for operator, expected in {"elastic-operator": [False, False], "jaeger-operator": [False, True]}.items():
        found = [
            allowed(policies(runs[stack]), End(address=CLIENT), end(operator), 9443) for stack in ("local", "prod")
        ]
        assert found == expected, operator


@pytest.mark.parametrize(
    ("remote_write", "port"),
    [
        ({"url": "https://store.example.com:8443/write", "username": "u"}, 8443),
        ({"url": "https://store.example.com/write", "username": "u"}, 443),
    ],
)
def test_a_long_term_store_is_reached_at_its_port(tmp_path: Path, remote_write: dict[str, str], port: int) -> None:
    prometheus = {"remoteWrite": remote_write}
    network = {"apiServer": ["10.2.0.0/28"]}
    found = changed(tmp_path, "local", prometheus=prometheus, network=network)
    assert allowed(found, end("prometheus"), End(address=WORLD), port)
    assert not allowed(found, end("prometheus"), End(address=WORLD), 8444)


def test_grafana_reaches_who_logs_people_in(tmp_path: Path) -> None:
    urls = {"authUrl": "https://id.example.com/auth", "tokenUrl": "https://id.example.com:8443/token"}
    sign_on = {"clientId": "grafana", "domains": ["example.com"], **urls, "apiUrl": "https://id.example.com/user"}
    network = {"apiServer": ["10.2.0.0/28"]}
    for grafana, expected in ({"singleSignOn": sign_on}, [True, True]), ({}, [False, False]):
        (folder := tmp_path / str(expected[0])).mkdir()
        found = changed(folder, "local", grafana=grafana, network=network)
        assert [allowed(found, end("grafana"), End(address=WORLD), port) for port in (8443, 443)] == expected


def test_the_relay_is_reached_at_its_port(tmp_path: Path) -> None:
    smtp = {"smarthost": "relay.example.com:2525", "from": "a@example.com", "authUsername": "a"}
    found = changed(tmp_path, alertmanager={"heartbeat": True, "smtp": smtp})
    assert allowed(found, end("alertmanager"), End(address=WORLD), 2525)
    assert not allowed(found, end("alertmanager"), End(address=WORLD), 587)


def test_names_are_asked_for_by_udp_and_tcp(runs: dict[str, Run]) -> None:
    for name in PARTS:
        for protocol in ("UDP", "TCP"):
            assert allowed(policies(runs["prod"]), end(name), End(address=WORLD), 53, protocol), name
    assert not allowed(policies(runs["prod"]), end("grafana"), End(address=WORLD), 443, "UDP")


def test_prometheus_may_ask_each_pod_of_the_application_and_is_let_in_where_a_setting_says_so(
    runs: dict[str, Run], tmp_path: Path
) -> None:
    assert allowed(policies(runs["prod"]), end("prometheus"), End(APPLICATION), 8001)
    found = changed(tmp_path, network={"application": True})
    (policy,) = (one for one in found if one["metadata"]["namespace"] == APPLICATION)
    assert policy["metadata"]["name"] == "mangakai-prometheus"
    for source, expected in {"prometheus": True, "grafana": False, "a stranger": False}.items():
        assert allowed([policy], end(source), End(APPLICATION, {"app": "backend"}), 8001) is expected
    # It says nothing of where the application connects to.
    assert allowed([policy], End(APPLICATION), End(address=WORLD), 443)
