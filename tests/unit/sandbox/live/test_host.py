"""Which ports of this machine lead into a live cluster."""

from typing import Any

from sandbox.live.host import targets


def service(kind: str, *ports: dict[str, int]) -> dict[str, Any]:
    return {"spec": {"type": kind, "clusterIP": "198.19.0.7", "ports": list(ports)}}


def test_a_load_balancer_answers_at_its_own_port_and_a_node_port_at_the_nodes() -> None:
    services = [
        service("LoadBalancer", {"port": 9090, "nodePort": 31000}, {"port": 443, "nodePort": 31001}),
        service("NodePort", {"port": 3000, "nodePort": 30030}),
        service("ClusterIP", {"port": 9093}),
        {"spec": {"type": "ExternalName"}},
    ]
    assert targets(services) == {
        9090: ("198.19.0.7", 9090),
        443: ("198.19.0.7", 443),
        30030: ("198.18.0.10", 30030),
    }
