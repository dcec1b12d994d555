"""The files and addresses of a live cluster. All addresses lie in networks of its own, which nothing leaves."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from sandbox.layout import Sandbox

NODE = "sandbox-live"
# 198.18.0.0/15 is reserved for benchmarks: nothing on a real network answers there.
NODE_ADDRESS = "198.18.0.10"
NODE_NETWORK = "198.18.0.0/24"
LOAD_BALANCER_ADDRESS = "198.18.0.100"
POD_NETWORK = "198.18.1.0/24"
SERVICE_NETWORK = "198.19.0.0/16"
API_SERVICE = "198.19.0.1"
DNS_SERVICE = "198.19.0.10"
# As in manifests/dns.yaml, which leads names outside the cluster there.
INTERNET_SERVICE = "198.19.0.20"
API_PORT = 6443


@dataclass(frozen=True)
class Live:
    """The folder of the live cluster of a sandbox, and what lies in it."""

    sandbox: Sandbox

    @property
    def directory(self) -> Path:
        """Return the folder of everything that the node has. It is there as long as the cluster is a live one."""
        return self.sandbox.directory / "live"

    @property
    def bin(self) -> Path:
        """Return the folder through which every server is started (see `sandbox.processes`)."""
        return self.directory / "bin"

    @property
    def certificates(self) -> Path:
        """Return the folder of certificates, keys and the servers' kubeconfigs."""
        return self.directory / "certificates"

    @property
    def configuration(self) -> Path:
        """Return the folder of what the servers are configured by."""
        return self.directory / "configuration"

    @property
    def images(self) -> Path:
        """Return the folder of links to the archives that the node imports when it starts."""
        return self.directory / "images"

    @property
    def logs(self) -> Path:
        """Return the folder of the servers' logs."""
        return self.directory / "logs"

    @property
    def state(self) -> Path:
        """Return the folder of all that the node writes: etcd's data, containers, volumes, the pods' logs."""
        return self.directory / "state"

    @property
    def ready(self) -> Path:
        """Return the file that the node writes when all its servers are started."""
        return self.directory / "ready"

    @property
    def complete(self) -> Path:
        """Return the file that says that the node takes pods: a start that was interrupted leaves none."""
        return self.directory / "complete"

    @property
    def cgroup(self) -> str:
        """Return the name of the control group below which all its containers are."""
        return f"mangakai-{hashlib.sha256(str(self.directory).encode()).hexdigest()[:8]}"
