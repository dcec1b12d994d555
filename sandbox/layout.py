"""The files and ports of a sandbox."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).resolve().parent.parent
CONTEXT = "mangakai-sandbox"


class Ports(NamedTuple):
    """The TCP ports of one sandbox on 127.0.0.1; `kubelet` is kwok's, which answers for the kubelets of all nodes."""

    api_server: int
    etcd: int
    etcd_peer: int
    controller_manager: int
    scheduler: int
    kubelet: int
    eck_debug: int
    jaeger_metrics: int
    jaeger_health: int
    jaeger_webhook: int


def ports_from(first: int) -> Ports:
    """Return ports in a row, so that sandboxes are kept apart by their first one."""
    return Ports(*range(first, first + len(Ports._fields)))


DEFAULT_PORTS = ports_from(26443)


@dataclass(frozen=True)
class Sandbox:
    """A cluster on this machine, with everything that belongs to it in `directory`, an absolute path."""

    directory: Path = CHECKOUT / ".sandbox"
    ports: Ports = DEFAULT_PORTS

    @property
    def server(self) -> str:
        """Return the address of the API server."""
        return f"https://127.0.0.1:{self.ports.api_server}"

    @property
    def kubeconfig(self) -> Path:
        """Return the kubeconfig, whose only context is CONTEXT."""
        return self.directory / "kubeconfig"

    @property
    def temporary(self) -> Path:
        """Return the folder for temporary files of what runs here: some hold a key, and some are never removed."""
        return self.directory / "tmp"

    @property
    def kubectl_cache(self) -> Path:
        """Return where kubectl notes which kinds the cluster has."""
        return self.directory / "kubectl"

    @property
    def bin(self) -> Path:
        """Return the folder that a shell gets on its PATH, with pulumi and kubectl."""
        return self.directory / "bin"

    @property
    def kwok(self) -> Path:
        """Return the working directory of kwokctl."""
        return self.directory / "kwok"

    @property
    def cluster(self) -> Path:
        """Return what kwokctl keeps of the cluster: certificates, etcd's data, logs, process ids."""
        return self.kwok / "clusters" / CONTEXT

    @property
    def servers(self) -> Path:
        """Return the folder through which kwokctl and we start every server (see `sandbox.processes`)."""
        return self.cluster / "bin"

    @property
    def logs(self) -> Path:
        """Return the folder of the operators' logs; those of the control plane are in `cluster`."""
        return self.directory / "logs"

    @property
    def pulumi_home(self) -> Path:
        """Return Pulumi's own folder: its plugins, which stack is selected."""
        return self.directory / "pulumi"

    @property
    def state(self) -> Path:
        """Return the folder of Pulumi's state."""
        return self.directory / "state"

    @property
    def project(self) -> Path:
        """Return the folder of the stacks' configuration as it is on this sandbox, beside a copy of Pulumi.yaml."""
        return self.directory / "config"

    def stack_file(self, stack: str) -> Path:
        """Return the configuration of a stack on this sandbox."""
        return self.project / f"Pulumi.{stack}.yaml"

    def secrets_file(self, stack: str) -> Path:
        """Return the throwaway secrets of a stack in plain text, readable by their owner only."""
        return self.project / f"secrets.{stack}.json"
