"""What a live cluster has outside its namespaces: it starts the node, and leads ports of 127.0.0.1 into it.

`python -m sandbox.live.host DIRECTORY FIRST_PORT` runs for as long as the cluster does. It is the load balancer
too: each port of a Service of that type, and each node port, answers on 127.0.0.1.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from kubernetes import client, config
from urllib3.exceptions import HTTPError

from sandbox.layout import CHECKOUT, Sandbox, ports_from
from sandbox.live.layout import API_PORT, LOAD_BALANCER_ADDRESS, NODE_ADDRESS, Live

LOCAL = "127.0.0.1"
POLL_SECONDS = 0.5
REQUEST_SECONDS = 5
CONNECT_SECONDS = 10
CHUNK = 65536
CLONE_NEWNET = 0x40000000  # linux/sched.h
PR_SET_PDEATHSIG = 1  # linux/prctl.h

Target = tuple[str, int]


class Forwarding:
    """Connections to 127.0.0.1 that go on in the network of a process; without them nothing leads there."""

    def __init__(self, pid: int) -> None:
        """Take the network namespace of the process `pid`. Raises OSError if it has ended."""
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
        self._listeners: dict[int, tuple[Target, socket.socket]] = {}

    def set(self, wanted: dict[int, Target]) -> dict[int, str]:
        """Listen on these ports of 127.0.0.1, and on no others. Returns the ports that are taken, with the reason."""
        for port, (target, listener) in list(self._listeners.items()):
            if wanted.get(port) != target:
                # Closed alone, it would go on for as long as a thread waits in it.
                listener.shutdown(socket.SHUT_RDWR)
                listener.close()
                del self._listeners[port]
        refused = {}
        for port, target in wanted.items():
            if port not in self._listeners:
                try:
                    listener = socket.create_server((LOCAL, port))
                except OSError as error:
                    refused[port] = str(error)
                    continue
                self._listeners[port] = (target, listener)
                threading.Thread(target=self._accept, args=(listener, target), daemon=True).start()
        return refused

    def _accept(self, listener: socket.socket, target: Target) -> None:
        while listener.fileno() >= 0:  # until the port is wanted no more
            with suppress(OSError):
                connection, _ = listener.accept()
                threading.Thread(target=self._serve, args=(connection, target), daemon=True).start()

    def _serve(self, connection: socket.socket, target: Target) -> None:
        """Connect to the target from within its network, which this thread enters, and carry what either side says."""
        with connection:
            if self._libc.setns(self._network, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            with suppress(OSError), socket.create_connection(target, CONNECT_SECONDS) as inside:
                inside.settimeout(None)
                back = threading.Thread(target=_carry, args=(inside, connection), daemon=True)
                back.start()
                _carry(connection, inside)
                back.join()


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(CHUNK):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def targets(services: list[dict[str, Any]]) -> dict[int, Target]:
    """Return where each port of 127.0.0.1 leads: node ports to the node, those of load balancers to their address.

    Those of a class, as AWS has one, have no address that kube-proxy knows, and lead to the Service.
    """
    found: dict[int, Target] = {}
    for service in services:
        spec = service["spec"]
        for port in spec.get("ports", []):
            if spec["type"] == "LoadBalancer":
                address = spec["clusterIP"] if spec.get("loadBalancerClass") else LOAD_BALANCER_ADDRESS
                found[port["port"]] = (address, port["port"])
            elif spec["type"] == "NodePort":
                found[port["nodePort"]] = (NODE_ADDRESS, port["nodePort"])
    return found


def _addressless(services: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for service in services:
        if service["spec"]["type"] == "LoadBalancer" and not service["status"]["loadBalancer"].get("ingress"):
            yield service


def _end_with_parent() -> None:
    """Let the kernel kill this process when its parent ends, even by SIGKILL."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _start_node(sandbox: Sandbox) -> "subprocess.Popen[bytes]":
    namespaces = ["--net", "--mount", "--propagation=private", "--pid", "--uts", "--ipc", "--mount-proc"]
    node = [sys.executable, "-m", "sandbox.live.node", str(sandbox.directory), str(sandbox.ports[0])]
    return subprocess.Popen(
        ["unshare", *namespaces, "--fork", "--kill-child", *node],
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        preexec_fn=_end_with_parent,
    )


def serve(sandbox: Sandbox) -> None:
    """Start the node and forward until it ends."""
    node = _start_node(sandbox)
    kubeconfig = sandbox.kubeconfig
    forwarding = _entered(node)
    api_server = {sandbox.ports.api_server: (LOCAL, API_PORT)}
    forwarding.set(api_server)
    api: client.ApiClient | None = None
    told: dict[int, str] = {}
    while node.poll() is None:
        time.sleep(POLL_SECONDS)
        if api is None:
            if not Live(sandbox).ready.exists():
                continue
            api = config.new_client_from_config(str(kubeconfig))  # type: ignore[no-untyped-call]
        try:
            services = _services(api)
            refused = forwarding.set({**targets(services), **api_server})
            if refused and refused != told:
                print("\n".join(f"port {port}: {why}" for port, why in refused.items()), flush=True)
            told = refused
            for service in _addressless(services):
                _give_address(api, service)
        except (client.ApiException, HTTPError) as error:
            print(f"{time.strftime('%H:%M:%S')} the API server: {error}", flush=True)
    sys.exit(f"the node ended with {node.returncode}")


def _entered(node: "subprocess.Popen[bytes]") -> Forwarding:
    """Return the forwarding into the node, once unshare has made its network."""
    own = os.readlink("/proc/self/ns/net")
    while os.readlink(f"/proc/{node.pid}/ns/net") == own:
        if node.poll() is not None:
            sys.exit(f"unshare ended with {node.returncode}")
        time.sleep(0.01)
    return Forwarding(node.pid)


def _services(api: client.ApiClient) -> list[dict[str, Any]]:
    found = client.CoreV1Api(api).list_service_for_all_namespaces(_request_timeout=REQUEST_SECONDS)
    services: list[dict[str, Any]] = api.sanitize_for_serialization(found.items)  # type: ignore[no-untyped-call]
    return services


def _give_address(api: client.ApiClient, service: dict[str, Any]) -> None:
    # By the address kube-proxy knows whom `loadBalancerSourceRanges` admits; URLs have the name.
    address = {} if service["spec"].get("loadBalancerClass") else {"ip": LOAD_BALANCER_ADDRESS}
    status = {"status": {"loadBalancer": {"ingress": [{"hostname": "localhost", **address}]}}}
    namespace, name = service["metadata"]["namespace"], service["metadata"]["name"]
    client.CoreV1Api(api).patch_namespaced_service_status(name, namespace, status, _request_timeout=REQUEST_SECONDS)


if __name__ == "__main__":
    serve(Sandbox(Path(sys.argv[1]), ports_from(int(sys.argv[2]))))
