"""Who reaches whom on a live cluster: each connection is tried from within the network of a pod.

Most images have no shell, so what connects is a thread of the test that enters the pod's network.
"""

import ctypes
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import yaml
from kubernetes.client.exceptions import ApiException

from components.foundation.pod_security import AS_NOBODY, RESTRICTED
from components.foundation.set_up_job import IMAGE
from sandbox.live.layout import API_PORT, DNS_SERVICE, NODE_ADDRESS, Live
from tests.live.application import NAMESPACE as APPLICATION
from tests.live.asking import is_ready, pods, until
from tests.parts import PARTS, whose
from tests.sandbox.conftest import Api, Project

CLONE_NEWNET = 0x40000000  # linux/sched.h
SECONDS = 2.0
STRANGER = "a stranger"
NAMES = "names"  # of the cluster's DNS
# A question for the address of the cluster's own DNS, by UDP.
QUESTION = (
    bytes.fromhex("0001 0100 0001 0000 0000 0000")
    + b"\x08kube-dns\x0bkube-system\x03svc\x07cluster\x05local"
    + (bytes.fromhex("00 0001 0001"))
)
Found = TypeVar("Found")


@dataclass(frozen=True)
class Port:
    """A port of a pod, or of something else that has an address."""

    of: str
    address: str
    number: int

    def __str__(self) -> str:
        return f"{self.of}:{self.number}"


class Networks:
    """The networks of a cluster's pods, by their addresses."""

    def __init__(self, project: Project) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._open: dict[str, int] = {}
        group, seen = Live(project.sandbox).cgroup, set()
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                network = os.readlink(process / "ns" / "net")
                if network not in seen and group in (process / "cgroup").read_text():
                    seen.add(network)
                    opened = os.open(process / "ns" / "net", os.O_RDONLY)
                    self._open[self._within(opened, _own_address)] = opened

    def within(self, address: str, look: Callable[[], Found]) -> Found:
        """Return what one finds in the network of the pod with this address."""
        return self._within(self._open[address], look)

    def _within(self, network: int, look: Callable[[], Found]) -> Found:
        def enter() -> Found:
            if self._libc.setns(network, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            return look()

        # The thread ends there, and with it that it is elsewhere.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(enter).result()

    def close(self) -> None:
        """Let go of the networks, which else outlive their pods."""
        for opened in self._open.values():
            os.close(opened)


def _own_address() -> str:
    """Return the address from which one connects; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as anybody:
        anybody.connect((NODE_ADDRESS, 9))
        return str(anybody.getsockname()[0])


def connects(address: str, port: int) -> bool:
    """Return whether somebody takes a connection."""
    try:
        socket.create_connection((address, port), SECONDS).close()
    except OSError:
        return False
    return True


def resolves() -> bool:
    """Return whether the cluster's DNS answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(SECONDS)
        try:
            asking.sendto(QUESTION, (DNS_SERVICE, 53))
            return bool(asking.recv(512))
        except OSError:
            return False


def check(project: Project, api: Api, table: Path) -> None:
    """See that each connection which the table names is taken, and that all others between these pods are refused."""
    wanted = yaml.safe_load(table.read_text())
    with _somebody_of_each_part(api):
        networks = Networks(project)
        try:
            _compare(networks, api, wanted)
        finally:
            networks.close()


@dataclass(frozen=True)
class Matrix:
    """What is tried: from each of these pods, by part, to each of these ports."""

    networks: Networks
    there: Mapping[str, list[dict[str, Any]]]
    targets: list[Port]

    def found(self) -> dict[str, list[str]]:
        """Return who reaches what."""
        with ThreadPoolExecutor(len(self.there)) as threads:
            reached = dict(zip(self.there, threads.map(self._reached, self.there), strict=True))
        rows = sorted({*map(str, self.targets), NAMES})
        found = {row: sorted(source for source in self.there if row in reached[source]) for row in rows}
        return {row: sources for row, sources in found.items() if sources}

    def _reached(self, source: str) -> set[str]:
        """Return what a pod of the source reaches, but for itself."""
        address = self.there[source][0]["status"]["podIP"]
        others = [port for port in self.targets if port.address != address]

        def look() -> set[str]:
            taken = {str(port) for port in others if connects(port.address, port.number)}
            return taken | ({NAMES} if resolves() else set())

        return self.networks.within(address, look)


def _compare(networks: Networks, api: Api, wanted: dict[str, list[str]]) -> None:
    there = _pods(api)
    listening = [port for port in _ports(there, wanted) if networks.within(port.address, partial(_answers, port))]
    matrix = Matrix(networks, there, [*listening, *_elsewhere(api)])
    last: dict[str, list[str]] = {}

    def as_wanted() -> bool:
        nonlocal last
        last = matrix.found()
        return last == wanted

    # Rules follow pods that have just come within seconds.
    with suppress(AssertionError):
        until(as_wanted, 60, "the connections of the table")
    taken = sum(map(len, last.values()))
    print(f"\n{taken} connections are taken, {len(there) * (len(matrix.targets) + 1) - taken} are not")
    assert last == wanted


def _answers(port: Port) -> bool:
    return connects(port.address, port.number)


def _pods(api: Api) -> dict[str, list[dict[str, Any]]]:
    """Return the running pods of each part, of the application and of a stranger."""
    running = [
        pod
        for pod in pods(api, "monitoring", "monitoring-agents", APPLICATION, "default")
        if pod["status"]["phase"] == "Running" and not pod["spec"].get("hostNetwork")
    ]
    found: dict[str, list[dict[str, Any]]] = {}
    for pod in running:
        found.setdefault(_part(pod), []).append(pod)
    return found


def _part(pod: dict[str, Any]) -> str:
    namespace = pod["metadata"]["namespace"]
    if namespace in (APPLICATION, "default"):
        return "the application" if namespace == APPLICATION else STRANGER
    (part,) = whose(pod["metadata"])
    return part


def _ports(there: Mapping[str, list[dict[str, Any]]], wanted: Mapping[str, list[str]]) -> Iterator[Port]:
    """Yield the ports that pods say they have, and those of the table; of each part those of its last pod."""
    for name, found in there.items():
        declared = {
            port["containerPort"]
            for container in found[-1]["spec"]["containers"]
            for port in container.get("ports", [])
            if port.get("protocol", "TCP") == "TCP"
        }
        named = {int(row.rpartition(":")[2]) for row in wanted if row.rpartition(":")[0] == name}
        for number in sorted(declared | named):
            yield Port(name, found[-1]["status"]["podIP"], number)


def _elsewhere(api: Api) -> list[Port]:
    (world,) = pods(api, "internet")
    address = world["status"]["podIP"]
    return [
        Port("the API server", NODE_ADDRESS, API_PORT),
        *(Port("the world", address, number) for number in (443, 587)),
    ]


@contextmanager
def _somebody_of_each_part(api: Api) -> Iterator[None]:
    """Have a pod that sleeps, labelled as each part of which none runs, as of Jobs; and a stranger that serves."""
    there = _pods(api)
    sleeps = ["python", "-c", "import time; time.sleep(3600)"]
    made = [_pod(part.name, part.namespace, part.labels, sleeps) for part in PARTS.values() if part.name not in there]
    made.append(_pod("stranger", "default", {"app": "stranger"}, ["python", "-m", "http.server", "8000"]))
    try:
        for pod in made:
            api.core.create_namespaced_pod(pod["metadata"]["namespace"], pod)
        paths = [f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}" for pod in made]
        until(lambda: all(is_ready(api.get(path)) for path in paths), 120, "a pod of each part")
        yield
    finally:
        for pod in made:
            with suppress(ApiException):
                api.core.delete_namespaced_pod(pod["metadata"]["name"], pod["metadata"]["namespace"])


def _pod(name: str, namespace: str, labels: Mapping[str, str], command: list[str]) -> Any:
    container = {"name": "connections", "image": IMAGE, "command": command, "securityContext": RESTRICTED}
    return {
        "metadata": {"name": f"connections-{name}", "namespace": namespace, "labels": dict(labels)},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": AS_NOBODY,
            "terminationGracePeriodSeconds": 0,
            "containers": [container],
        },
    }
