"""The control plane of a sandbox: etcd and the Kubernetes servers as kwokctl starts them, nodes and pods by kwok."""

import os
import shutil
import time
from pathlib import Path
from typing import Any

import yaml

from sandbox import api_server
from sandbox.artifacts import KWOK_STAGES
from sandbox.layout import CONTEXT, Sandbox
from sandbox.processes import SandboxError, run, running, stop
from sandbox.program_pins import (
    ECK_OPERATOR,
    ETCD,
    JAEGER_OPERATOR,
    KUBE_APISERVER,
    KUBE_CONTROLLER_MANAGER,
    KUBE_SCHEDULER,
    KUBECTL,
    KWOK,
    KWOKCTL,
)

MANIFESTS = Path(__file__).parent / "manifests"
# The names are kwokctl's.
CONTROL_PLANE = {
    "etcd": ETCD,
    "kube-apiserver": KUBE_APISERVER,
    "kube-controller-manager": KUBE_CONTROLLER_MANAGER,
    "kube-scheduler": KUBE_SCHEDULER,
    "kwok-controller": KWOK,
}
START_SECONDS = 60


def is_running(sandbox: Sandbox) -> bool:
    """Return whether every program of the control plane runs and the API server is ready."""
    return set(running(sandbox)) >= set(CONTROL_PLANE) and _is_ready(sandbox)


def start(sandbox: Sandbox) -> bool:
    """Start the control plane, or what is missing of it, and return whether there was anything to do.

    Raises SandboxError if the sandbox was made with other settings or does not become ready.
    """
    settings = yaml.safe_dump_all(_settings(sandbox), sort_keys=False)
    settings_file = sandbox.kwok / "settings.yaml"
    if not sandbox.kubeconfig.exists():
        # Written last, so the cluster was never complete: kwokctl does not finish one whose creation was interrupted.
        stop(sandbox)
        shutil.rmtree(sandbox.kwok, ignore_errors=True)
    exists = settings_file.exists()
    if exists and settings_file.read_text() != settings:
        raise SandboxError(
            f"the sandbox in {sandbox.directory} was made with other ports or stages: remove it first (make down)"
        )
    if exists and is_running(sandbox):
        return False
    _link_servers(sandbox)
    sandbox.kwok.mkdir(parents=True, exist_ok=True)
    settings_file.write_text(settings)
    _forget_dead_processes(sandbox)
    # An empty --kubeconfig keeps kwokctl from adding its context to the user's own file.
    kwokctl = [str(KWOKCTL.path), "--name", CONTEXT, "--config", str(settings_file)]
    run([*kwokctl, "create", "cluster", "--kubeconfig", ""], env=_environment(sandbox))
    _wait_until_ready(sandbox)
    apply(sandbox, MANIFESTS)
    api_server.write_kubeconfig(sandbox.cluster / "pki", "admin", sandbox.server, sandbox.kubeconfig)
    return True


def remove(sandbox: Sandbox) -> None:
    """End every process of the sandbox and remove its directory."""
    stop(sandbox)
    shutil.rmtree(sandbox.directory, ignore_errors=True)


def kubectl(sandbox: Sandbox, *arguments: str) -> str:
    """Run kubectl against the sandbox and return its output. Raises SandboxError if it fails."""
    return api_server.kubectl(sandbox, sandbox.cluster / "kubeconfig.yaml", *arguments)


def apply(sandbox: Sandbox, path: Path) -> None:
    """Apply the manifest or the folder of manifests `path`."""
    kubectl(sandbox, "apply", "--server-side", "--force-conflicts", "-f", str(path))


def _settings(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Return kwokctl's configuration and the stages of nodes, pods, volumes and load balancers."""
    ports = sandbox.ports
    options = {
        "runtime": "binary",
        "bindAddress": "127.0.0.1",
        "kubeVersion": f"v{KUBE_APISERVER.version}",
        "etcdBinary": str(sandbox.servers / "etcd"),
        "kubeApiserverBinary": str(sandbox.servers / "kube-apiserver"),
        "kubeControllerManagerBinary": str(sandbox.servers / "kube-controller-manager"),
        "kubeSchedulerBinary": str(sandbox.servers / "kube-scheduler"),
        "kwokControllerBinary": str(sandbox.servers / "kwok-controller"),
        "kubectlBinary": str(sandbox.servers / "kubectl"),
        "kubeApiserverPort": ports.api_server,
        "etcdPort": ports.etcd,
        "etcdPeerPort": ports.etcd_peer,
        "kubeControllerManagerPort": ports.controller_manager,
        "kubeSchedulerPort": ports.scheduler,
        "kwokControllerPort": ports.kubelet,
    }
    api_server_arguments = {
        # Addresses that are nobody's, as those of nodes and pods in manifests/nodes.yaml.
        "advertise-address": "198.18.0.10",
        "service-cluster-ip-range": "198.19.0.0/16",
        # `kubectl logs` and port-forwarding reach kwok on this machine, not the address of a node.
        "kubelet-preferred-address-types": "ExternalDNS",
    }
    patches = [
        {
            "name": "kube-apiserver",
            "extraArgs": [{"key": key, "value": value} for key, value in api_server_arguments.items()],
        },
        {
            "name": "kube-controller-manager",
            "extraArgs": [{"key": "service-cluster-ip-range", "value": "198.19.0.0/16"}],
        },
    ]
    configuration = {
        "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
        "kind": "KwokctlConfiguration",
        "options": options,
        "componentsPatches": patches,
    }
    built_in = sorted(KWOK_STAGES.path.glob("node-*.yaml")) + sorted(KWOK_STAGES.path.glob("pod-*.yaml"))
    own = sorted((MANIFESTS / "stages").glob("*.yaml"))
    return [configuration, *(stage for file in built_in + own for stage in yaml.safe_load_all(file.read_text()))]


def _link_servers(sandbox: Sandbox) -> None:
    """Link the programs where kwokctl would link what it downloads: it downloads nothing then."""
    sandbox.servers.mkdir(parents=True, exist_ok=True)
    beside = {program.name: program for program in (KUBECTL, ECK_OPERATOR, JAEGER_OPERATOR)}
    for name, program in {**CONTROL_PLANE, **beside}.items():
        link = sandbox.servers / name
        link.unlink(missing_ok=True)
        link.symlink_to(program.path)


def _forget_dead_processes(sandbox: Sandbox) -> None:
    """Remove the process ids of programs that no longer run: after a reboot they may be somebody else's."""
    alive = running(sandbox)
    for file in (sandbox.cluster / "pids").glob("*.pid"):
        if file.stem not in alive:
            file.unlink()


def _environment(sandbox: Sandbox) -> dict[str, str]:
    """Return the environment of kwokctl: a working directory and a kubectl of its own."""
    path = os.pathsep.join([str(KUBECTL.path.parent), os.environ.get("PATH", os.defpath)])
    return os.environ | {"KWOK_WORKDIR": str(sandbox.kwok), "PATH": path}


def _is_ready(sandbox: Sandbox) -> bool:
    return api_server.is_ready(sandbox, sandbox.cluster / "kubeconfig.yaml")


def _wait_until_ready(sandbox: Sandbox) -> None:
    """Wait for the API server. Raises SandboxError with the end of its log if it does not become ready."""
    deadline = time.monotonic() + START_SECONDS
    while not _is_ready(sandbox):
        if time.monotonic() > deadline:
            log = sandbox.cluster / "logs" / "kube-apiserver.log"
            last = "\n".join(log.read_text().splitlines()[-10:]) if log.exists() else "(no log)"
            raise SandboxError(f"the API server is not ready after {START_SECONDS} s; the end of {log}:\n{last}")
        time.sleep(0.1)
