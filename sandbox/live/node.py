"""The node of a live cluster: process 1 of its namespaces, which starts every server and the container runtime.

`python -m sandbox.live.node DIRECTORY FIRST_PORT`, started by `sandbox.live.host`, ends only by being killed;
everything ends with it.
"""

import json
import os
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sandbox.layout import Sandbox, ports_from
from sandbox.live import cgroups
from sandbox.live.layout import (
    API_PORT,
    DNS_SERVICE,
    NODE,
    NODE_ADDRESS,
    NODE_NETWORK,
    POD_NETWORK,
    SERVICE_NETWORK,
    Live,
)
from sandbox.program_pins import PAUSE

CONTAINERD_SOCKET = Path("/run/containerd/containerd.sock")
CNI_PLUGINS = "/usr/lib/cni"
START_SECONDS = 120
RESTART_SECONDS = 1.0
ZONE = {"topology.kubernetes.io/region": "ap-southeast-1", "topology.kubernetes.io/zone": "ap-southeast-1a"}
# Who makes volumes, under the names of local-path-provisioner itself and of the EBS CSI driver, by its folder.
PROVISIONERS = {"volumes": "rancher.io/local-path", "volumes-ebs": "ebs.csi.aws.com"}


@dataclass(frozen=True)
class Server:
    """A server that runs: the name of its log, and how it was started."""

    name: str
    command: Sequence[str]
    process: "subprocess.Popen[bytes]"


@dataclass
class Node:
    """What process 1 does; `servers` has each server that runs by its process id."""

    live: Live
    servers: dict[int, "Server"] = field(default_factory=dict)

    def run(self) -> None:
        """Set the node up, start everything in its order, and start again whatever ends."""
        self._mount()
        self._network()
        self._configure()
        for command in (self._etcd(), self._api_server()):
            self._start(command)
        self._start(["containerd", "-c", str(self.live.configuration / "containerd.toml")], "containerd")
        self._until(CONTAINERD_SOCKET.exists, "containerd")
        for archive in sorted(self.live.images.iterdir()):
            self._import(archive)
        self._until(self._is_ready, "kube-apiserver")
        for command in (
            self._controller_manager(),
            self._scheduler(),
            self._kubelet(),
            self._kube_proxy(),
            self._kube_router(),
        ):
            self._start(command)
        for folder, name in PROVISIONERS.items():
            self._start(self._provisioner(folder, name), folder)
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
                self._start(server.command, server.name)

    def _start(self, command: Sequence[str], name: str = "") -> None:
        name = name or Path(command[0]).name
        with (self.live.logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        # Kept: a Popen that is forgotten would be reaped by the next one.
        self.servers[process.pid] = Server(name, command, process)

    def _until(self, done: Any, what: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not done():
            if time.monotonic() > deadline:
                sys.exit(f"{what} is not there after {START_SECONDS} s")
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        own = [self._bin("kubectl"), "--kubeconfig", self._kubeconfig("admin"), "--request-timeout=5s"]
        return subprocess.run([*own, "get", "--raw", "/readyz"], capture_output=True, check=False).returncode == 0

    def _import(self, archive: Path) -> None:
        with (self.live.logs / "images.log").open("ab") as log:
            subprocess.run(
                ["ctr", "-n", "k8s.io", "images", "import", str(archive)], check=True, stdout=log, stderr=log
            )

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

    def _configure(self) -> None:
        folder = self.live.configuration
        cgroups.create(self.live.cgroup)
        (folder / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        (folder / "containerd.toml").write_text(self._containerd())
        (folder / "cni").mkdir(exist_ok=True)
        _write_json(folder / "cni" / "10-bridge.conflist", _pod_network())
        _write_yaml(folder / "kubelet.yaml", self._kubelet_configuration())
        _write_yaml(folder / "kube-proxy.yaml", self._kube_proxy_configuration())
        for name in PROVISIONERS:
            volumes = self.live.state / name
            volumes.mkdir(parents=True, exist_ok=True)
            paths = [{"node": "DEFAULT_PATH_FOR_NON_LISTED_NODES", "paths": [str(volumes)]}]
            _write_json(folder / f"{name}.json", {"nodePathMap": paths})

    def _containerd(self) -> str:
        text = f"""version = 2
root = "{self.live.state / "containerd"}"
state = "/run/containerd"

[grpc]
address = "{CONTAINERD_SOCKET}"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "registry.k8s.io/pause:{PAUSE.version}"
# Without CAP_SYS_RESOURCE, which root in a container lacks, nobody may lower it, and runc fails without saying why.
restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{CNI_PLUGINS}"
conf_dir = "{self.live.configuration / "cni"}"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
options = {{SystemdCgroup = false}}
"""
        tomllib.loads(text)
        return text

    def _kubelet_configuration(self) -> Mapping[str, Any]:
        certificates = self.live.certificates
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(certificates / "ca.crt")},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(certificates / "kubelet.crt"),
            "tlsPrivateKeyFile": str(certificates / "kubelet.key"),
            "clusterDNS": [DNS_SERVICE],
            "clusterDomain": "cluster.local",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self.live.cgroup}",
            # It refuses version 1 from 1.35 on; a machine may have nothing else.
            "failCgroupV1": False,
            "failSwapOn": False,
            "resolvConf": str(self.live.configuration / "resolv.conf"),
            "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
            "enforceNodeAllocatable": ["pods"],
            "evictionHard": {"nodefs.available": "1Gi", "imagefs.available": "1Gi", "memory.available": "200Mi"},
            # No image can be had again: none is collected, however full the machine's disk is.
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            "nodeStatusUpdateFrequency": "5s",
        }

    def _kube_proxy_configuration(self) -> Mapping[str, Any]:
        return {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "clientConnection": {"kubeconfig": self._kubeconfig("kube-proxy")},
            "clusterCIDR": POD_NETWORK,
            # The machine's own, which a namespace may not set.
            "conntrack": {"maxPerCore": 0},
            "oomScoreAdj": 0,
            "hostnameOverride": NODE,
        }

    def _etcd(self) -> list[str]:
        return [
            self._bin("etcd"),
            f"--data-dir={self.live.state / 'etcd'}",
            "--listen-client-urls=http://127.0.0.1:2379",
            "--advertise-client-urls=http://127.0.0.1:2379",
            "--listen-peer-urls=http://127.0.0.1:2380",
            "--unsafe-no-fsync",
        ]

    def _api_server(self) -> list[str]:
        certificates = self.live.certificates
        return [
            self._bin("kube-apiserver"),
            "--etcd-servers=http://127.0.0.1:2379",
            f"--service-cluster-ip-range={SERVICE_NETWORK}",
            f"--advertise-address={NODE_ADDRESS}",
            f"--secure-port={API_PORT}",
            f"--tls-cert-file={certificates / 'apiserver.crt'}",
            f"--tls-private-key-file={certificates / 'apiserver.key'}",
            f"--client-ca-file={certificates / 'ca.crt'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={certificates / 'sa.pub'}",
            f"--service-account-signing-key-file={certificates / 'sa.key'}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged",
            f"--kubelet-client-certificate={certificates / 'kubelet-client.crt'}",
            f"--kubelet-client-key={certificates / 'kubelet-client.key'}",
            f"--kubelet-certificate-authority={certificates / 'ca.crt'}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--requestheader-client-ca-file={certificates / 'ca.crt'}",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={certificates / 'front-proxy.crt'}",
            f"--proxy-client-key-file={certificates / 'front-proxy.key'}",
        ]

    def _controller_manager(self) -> list[str]:
        certificates = self.live.certificates
        return [
            self._bin("kube-controller-manager"),
            *self._as("controller-manager"),
            f"--root-ca-file={certificates / 'ca.crt'}",
            f"--service-account-private-key-file={certificates / 'sa.key'}",
            "--use-service-account-credentials",
            "--leader-elect=false",
        ]

    def _scheduler(self) -> list[str]:
        return [self._bin("kube-scheduler"), *self._as("scheduler"), "--leader-elect=false"]

    def _as(self, name: str) -> list[str]:
        kubeconfig = self._kubeconfig(name)
        return [
            f"--{use}={kubeconfig}" for use in ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
        ]

    def _kubelet(self) -> list[str]:
        return [
            self._bin("kubelet"),
            f"--config={self.live.configuration / 'kubelet.yaml'}",
            f"--kubeconfig={self._kubeconfig('kubelet')}",
            f"--hostname-override={NODE}",
            f"--node-ip={NODE_ADDRESS}",
            f"--root-dir={self.live.state / 'kubelet'}",
            # As for containerd: nobody may lower it here.
            "--oom-score-adj=0",
            "--node-labels=" + ",".join(f"{key}={value}" for key, value in ZONE.items()),
        ]

    def _kube_proxy(self) -> list[str]:
        return [self._bin("kube-proxy"), f"--config={self.live.configuration / 'kube-proxy.yaml'}"]

    def _kube_router(self) -> list[str]:
        """Return the command of who enforces NetworkPolicies."""
        return [
            self._bin("kube-router"),
            f"--kubeconfig={self._kubeconfig('admin')}",
            f"--hostname-override={NODE}",
            f"--service-cluster-ip-range={SERVICE_NETWORK}",
            "--run-firewall=true",
            "--run-router=false",
            "--run-service-proxy=false",
        ]

    def _provisioner(self, folder: str, name: str) -> list[str]:
        return [
            self._bin("local-path-provisioner"),
            "start",
            f"--kubeconfig={self._kubeconfig('admin')}",
            f"--config={self.live.configuration / folder}.json",
            f"--provisioner-name={name}",
            "--namespace=kube-system",
            "--configmap-name=volumes",
            "--service-account-name=default",
        ]

    def _bin(self, name: str) -> str:
        return str(self.live.bin / name)

    def _kubeconfig(self, client: str) -> str:
        return str(self.live.certificates / f"{client}.kubeconfig")


def _pod_network() -> Mapping[str, Any]:
    addresses = {"type": "host-local", "ranges": [[{"subnet": POD_NETWORK}]], "dataDir": "/var/lib/cni/addresses"}
    bridge = {
        "type": "bridge",
        "bridge": "pods0",
        "isDefaultGateway": True,
        "hairpinMode": True,
        "ipMasq": False,
        "ipam": addresses,
    }
    plugins = [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}]
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": plugins}


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def _write_json(file: Path, document: object) -> None:
    file.write_text(json.dumps(document, indent=2) + "\n")


def _write_yaml(file: Path, document: object) -> None:
    file.write_text(yaml.safe_dump(document, sort_keys=False))


if __name__ == "__main__":
    Node(Live(Sandbox(Path(sys.argv[1]), ports_from(int(sys.argv[2]))))).run()
