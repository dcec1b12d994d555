"""Which ports of this machine lead into a live cluster, and that those lead nowhere that do no more."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sandbox.live.host import Forwarding, targets


def service(kind: str, *ports: dict[str, int], **spec: str) -> dict[str, Any]:
    return {"spec": {"type": kind, "clusterIP": "198.19.0.7", "ports": list(ports), **spec}}


def test_a_load_balancer_answers_at_its_own_address_or_its_services_and_a_node_port_at_the_nodes() -> None:
    services = [
        service("LoadBalancer", {"port": 9090, "nodePort": 31000}, {"port": 443, "nodePort": 31001}),
        service("LoadBalancer", {"port": 5601, "nodePort": 31002}, loadBalancerClass="service.k8s.aws/nlb"),
        service("NodePort", {"port": 3000, "nodePort": 30030}),
        service("ClusterIP", {"port": 9093}),
        {"spec": {"type": "ExternalName"}},
    ]
    assert targets(services) == {
        9090: ("198.18.0.100", 9090),
        443: ("198.18.0.100", 443),
        5601: ("198.19.0.7", 5601),
        30030: ("198.18.0.10", 30030),
    }


@contextmanager
def saying(word: bytes) -> Iterator[int]:
    """A server that says a word to each that connects; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            try:
                while True:
                    connection, _ = server.accept()
                    connection.sendall(word)
                    connection.close()
            except OSError:
                pass  # it is closed

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def heard(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        return connection.recv(100)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root enters a network namespace")
def test_a_port_leads_where_it_is_wanted_and_nowhere_once_it_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    forwarding = Forwarding(os.getpid())
    with saying(b"one") as one, saying(b"two") as two:
        assert forwarding.set({port: ("127.0.0.1", one)}) == {}
        assert heard(port) == b"one"
        assert forwarding.set({port: ("127.0.0.1", two)}) == {}, "the port is its own"
        assert heard(port) == b"two"
        assert forwarding.set({}) == {}
        with pytest.raises(ConnectionRefusedError):
            heard(port)
        taken = forwarding.set({one: ("127.0.0.1", two)})
        assert list(taken) == [one]
        assert "in use" in taken[one]
