"""The servers of a live cluster's node: what each is configured by, and its command line."""

import json
import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sandbox.live.layout import (
    API_PORT,
    DNS_SERVICE,
    NODE,
    NODE_ADDRESS,
    POD_NETWORK,
    SERVICE_NETWORK,
    Live,
)
from sandbox.program_pins import PAUSE

CONTAINERD_SOCKET = Path("/run/containerd/containerd.sock")
SHARED_FOLDER = Path(__file__).with_name("shared-folder.sh")
CNI_PLUGINS = "/usr/lib/cni"
ZONE = {"topology.kubernetes.io/region": "ap-southeast-1", "topology.kubernetes.io/zone": "ap-southeast-1a"}
# Who makes volumes, under the names of local-path-provisioner itself and of the EBS CSI driver, by its folder.
PROVISIONERS = {"volumes": "rancher.io/local-path", "volumes-ebs": "ebs.csi.aws.com"}


@dataclass(frozen=True)
class Servers:
    """What runs on the node of `live` beside its containers."""

    live: Live

    def configure(self) -> None:
        """Write what the servers are configured by, and the folders that they expect."""
        folder = self.live.configuration
        (folder / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        (folder / "containerd.toml").write_text(self._containerd())
        (folder / "cni").mkdir(exist_ok=True)
        _write_json(folder / "cni" / "10-bridge.conflist", _pod_network())
        _write_yaml(folder / "kubelet.yaml", self._kubelet_configuration())
        _write_yaml(folder / "kube-proxy.yaml", self._kube_proxy_configuration())
        driver = Path(self._volume_plugins, "mangakai~shared-folder", "shared-folder")
        driver.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SHARED_FOLDER, driver)
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
# Its profile would stay in the machine's kernel.
disable_apparmor = true

[plugins."io.containerd.internal.v1.opt"]
path = "{self.live.state / "opt"}"

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
            "volumePluginDir": self._volume_plugins,
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

    def before_the_api(self) -> dict[str, list[str]]:
        """Return the command lines of those that need no API server, by the names of their logs."""
        return {
            "etcd": self._etcd(),
            "kube-apiserver": self._api_server(),
            "containerd": ["containerd", "-c", str(self.live.configuration / "containerd.toml")],
        }

    def after_the_api(self) -> dict[str, list[str]]:
        """Return the command lines of those that ask the API server, by the names of their logs."""
        return {
            "kube-controller-manager": self._controller_manager(),
            "kube-scheduler": self._scheduler(),
            "kubelet": self._kubelet(),
            "kube-proxy": self._kube_proxy(),
            "kube-router": self._kube_router(),
            **{folder: self._provisioner(folder, name) for folder, name in PROVISIONERS.items()},
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
            f"--flex-volume-plugin-dir={self._volume_plugins}",
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

    @property
    def _volume_plugins(self) -> str:
        """Return the folder of drivers; by default it is one of the machine, which would stay there."""
        return str(self.live.state / "volume-plugins")

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


def _write_json(file: Path, document: object) -> None:
    file.write_text(json.dumps(document, indent=2) + "\n")


def _write_yaml(file: Path, document: object) -> None:
    file.write_text(yaml.safe_dump(document, sort_keys=False))
