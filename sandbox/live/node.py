"""The node of a live cluster: process 1 of its namespaces, which starts every server and the container runtime.

`python -m sandbox.live.node DIRECTORY FIRST_PORT`, started by `sandbox.live.host`, ends only by being killed;
everything ends with it.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.layout import Sandbox, ports_from
from sandbox.live import cgroups
from sandbox.live.layout import NODE, NODE_ADDRESS, NODE_NETWORK, Live
from sandbox.live.servers import CONTAINERD_SOCKET, Servers

START_SECONDS = 120
RESTART_SECONDS = 1.0
# What a kubelet sets of the kernel where it is otherwise (setupKernelTunables in pkg/kubelet/cm). No namespace has
# these of its own, so what it set would stay with the machine: it finds what it wants, in files over the kernel's.
TUNABLES = {
    "kernel/keys/root_maxbytes": "25000000",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
}


@dataclass(frozen=True)
class Running:
    """A server that runs: the name of its log, and how it was started."""

    name: str
    command: Sequence[str]
    process: "subprocess.Popen[bytes]"


@dataclass
class Node:
    """What process 1 does; `servers` has each server that runs by its process id."""

    live: Live
    servers: dict[int, Running] = field(default_factory=dict)

    def run(self) -> None:
        """Set the node up, start everything in its order, and start again whatever ends."""
        self._mount()
        self._network()
        cgroups.create(self.live.cgroup)
        servers = Servers(self.live)
        servers.configure()
        for name, command in servers.before_the_api().items():
            self._start(name, command)
        self._until(CONTAINERD_SOCKET.exists, "containerd")
        for archive in sorted(self.live.images.iterdir()):
            self._import(archive)
        self._until(self._is_ready, "kube-apiserver")
        for name, command in servers.after_the_api().items():
            self._start(name, command)
        self.live.ready.touch()
        self._supervise()

    def _supervise(self) -> None:
        """Reap what ends, and start a server again that did: some come before what they ask the API server for."""
        while True:
            pid, status = os.wait()
            if pid in self.servers:
                server = self.servers.pop(pid)
                server.process.returncode = os.waitstatus_to_exitcode(status)
                print(f"{time.strftime('%H:%M:%S')} {server.name} ended with {server.process.returncode}", flush=True)
                time.sleep(RESTART_SECONDS)
                self._start(server.name, server.command)

    def _start(self, name: str, command: Sequence[str]) -> None:
        with (self.live.logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        # Kept: a Popen that is forgotten would be reaped by the next one.
        self.servers[process.pid] = Running(name, command, process)

    def _until(self, done: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not done():
            if time.monotonic() > deadline:
                sys.exit(f"{what} is not there after {START_SECONDS} s")
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        kubeconfig = self.live.certificates / "admin.kubeconfig"
        own = [str(self.live.bin / "kubectl"), f"--kubeconfig={kubeconfig}", "--request-timeout=5s"]
        return subprocess.run([*own, "get", "--raw", "/readyz"], capture_output=True, check=False).returncode == 0

    def _import(self, archive: Path) -> None:
        command = ["ctr", "-n", "k8s.io", "images", "import", str(archive)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{archive.name} cannot be imported: {done.stderr.strip()}")

    def _mount(self) -> None:
        """Give the fixed folders of a node contents of its own; what stood there is not touched."""
        state = self.live.state
        _run("mount", "--make-rshared", "/")
        for folder in ("log", "kubelet", "containerd", "etcd", "var-lib", "var-lib-work"):
            (state / folder).mkdir(parents=True, exist_ok=True)
        _run("mount", "--bind", str(state / "log"), "/var/log")
        # What pods mount of the node below /var/lib, and where the network's plugins keep what they gave out.
        layers = f"lowerdir=/var/lib,upperdir={state / 'var-lib'},workdir={state / 'var-lib-work'}"
        _run("mount", "-t", "overlay", "overlay", "-o", layers, "/var/lib")
        _run("mount", "-t", "tmpfs", "tmpfs", "/run")
        for folder in ("containerd", "netns", "lock"):
            Path("/run", folder).mkdir()
        for name, value in TUNABLES.items():
            file = self.live.configuration / name.replace("/", ".")
            file.write_text(f"{value}\n")
            _run("mount", "--bind", str(file), f"/proc/sys/{name}")
        socket.sethostname(NODE)

    def _network(self) -> None:
        """Make the node's own network, which leads nowhere else."""
        _run("ip", "link", "set", "lo", "up")
        _run("ip", "link", "add", "node0", "type", "bridge")
        _run("ip", "address", "add", f"{NODE_ADDRESS}/{NODE_NETWORK.rpartition('/')[2]}", "dev", "node0")
        _run("ip", "link", "set", "node0", "up")
        # Through nobody: programs look for a default route to find out their own address.
        _run("ip", "route", "add", "default", "via", NODE_NETWORK.replace(".0/24", ".1"), "dev", "node0")
        for key in ("net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables", "net/ipv4/conf/all/route_localnet"):
            Path("/proc/sys", key).write_text("1")


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    Node(Live(Sandbox(Path(sys.argv[1]), ports_from(int(sys.argv[2]))))).run()
