"""A live cluster as a whole: started, asked whether it runs, removed without a trace."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import yaml

from sandbox import api_server
from sandbox.images.oci import Image
from sandbox.layout import CHECKOUT, Sandbox
from sandbox.live import certificates, cgroups, internet
from sandbox.live.layout import NODE, Live
from sandbox.processes import LIVE_HOST, SandboxError, running, stop
from sandbox.program_pins import (
    ETCD,
    KUBE_APISERVER,
    KUBE_CONTROLLER_MANAGER,
    KUBE_PROXY,
    KUBE_ROUTER,
    KUBE_SCHEDULER,
    KUBECTL,
    KUBELET,
    LOCAL_PATH_PROVISIONER,
)

MANIFESTS = Path(__file__).parent / "manifests"
# What the simulated cluster has too: the application's namespace, and what the program recognises EKS by.
SHARED = [Path(__file__).parent.parent / "manifests" / name for name in ("application.yaml", "aws.yaml")]
SERVERS = (
    ETCD,
    KUBE_APISERVER,
    KUBE_CONTROLLER_MANAGER,
    KUBE_SCHEDULER,
    KUBELET,
    KUBE_PROXY,
    KUBE_ROUTER,
    LOCAL_PATH_PROVISIONER,
    KUBECTL,
)
START_SECONDS = 180


def is_running(sandbox: Sandbox) -> bool:
    """Return whether the node runs with all that belongs to it, and the API server is ready."""
    return (
        LIVE_HOST in running(sandbox)
        and Live(sandbox).complete.exists()
        and api_server.is_ready(sandbox, sandbox.kubeconfig)
    )


def start(sandbox: Sandbox, images: Iterable[Image]) -> bool:
    """Start the cluster with these images, which are written, and return whether there was anything to do.

    One that ended, with the machine or by being killed, goes on with what it had: its containers start again.

    Raises:
        SandboxError: it does not become ready.
    """
    images = list(images)
    if is_running(sandbox):
        if {link.name for link in Live(sandbox).images.iterdir()} != {image.archive.name for image in images}:
            print("The live cluster runs other images than are made now: make down, then make live.", file=sys.stderr)
        return False
    end(sandbox)
    try:
        _start(sandbox, images)
    except BaseException:
        end(sandbox)
        raise
    return True


def _start(sandbox: Sandbox, images: Iterable[Image]) -> None:
    live = Live(sandbox)
    for folder in (live.bin, live.configuration, live.images, live.logs, live.state, sandbox.temporary):
        folder.mkdir(parents=True, exist_ok=True)
    _link(live.bin, {program.file_name: program.path for program in SERVERS})
    _link(live.images, {image.archive.name: image.archive for image in images})
    if not live.certificates.exists():
        work = live.certificates.with_suffix(".work")
        shutil.rmtree(work, ignore_errors=True)
        certificates.write(work)
        work.rename(live.certificates)
    api_server.write_kubeconfig(live.certificates, "admin", sandbox.server, sandbox.kubeconfig)
    with (live.logs / "host.log").open("ab") as log:
        host = subprocess.Popen(
            [sys.executable, "-m", LIVE_HOST, str(sandbox.directory), str(sandbox.ports[0])],
            cwd=CHECKOUT,
            # A proxy leads to nothing that is in there, nor from there to anything.
            env={key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
            | {"TMPDIR": str(sandbox.temporary)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _wait(
        sandbox,
        host,
        "the API server",
        lambda: live.ready.exists() and api_server.is_ready(sandbox, sandbox.kubeconfig),
    )
    own = live.configuration / "internet.yaml"
    own.write_text(yaml.safe_dump_all(internet.manifests(sandbox)))
    manifests = [f"--filename={path}" for path in (MANIFESTS, *SHARED, own)]
    _kubectl(sandbox, "apply", "--server-side", "--force-conflicts", *manifests)
    _wait(sandbox, host, "the node", lambda: _is_up(sandbox))
    live.complete.touch()


def remove(sandbox: Sandbox) -> None:
    """End every process of the sandbox, and remove its directory and control groups.

    Raises:
        SandboxError: something cannot be ended or removed.
    """
    end(sandbox)
    try:
        shutil.rmtree(sandbox.directory)
    except OSError as error:
        raise SandboxError(
            f"not all of the live cluster can be removed, run make down again, as root: {error}"
        ) from error


def end(sandbox: Sandbox) -> None:
    """End the node with all its containers; what it has written stays."""
    live = Live(sandbox)
    stop(sandbox)
    cgroups.remove(live.cgroup)
    for file in (live.complete, live.ready):
        file.unlink(missing_ok=True)


def _link(folder: Path, targets: Mapping[str, Path]) -> None:
    """Fill a folder with links by these names, and with nothing else."""
    for link in folder.iterdir():
        link.unlink()
    for name, target in targets.items():
        (folder / name).symlink_to(target)


def _kubectl(sandbox: Sandbox, *arguments: str) -> str:
    return api_server.kubectl(sandbox, sandbox.kubeconfig, *arguments)


def _is_up(sandbox: Sandbox) -> bool:
    """Return whether the node takes pods and their DNS answers."""
    ready = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
    dns = "jsonpath={.status.readyReplicas}"
    return (
        _kubectl(sandbox, "get", "node", NODE, "-o", ready) == "True"
        and _kubectl(sandbox, "-n", "kube-system", "get", "deployment", "coredns", "-o", dns) == "1"
    )


def _wait(sandbox: Sandbox, host: "subprocess.Popen[bytes]", what: str, done: Callable[[], bool]) -> None:
    """Wait until it is done. Raises SandboxError, with what the host said, if it ends or that takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            if done():
                return
            said = ""
        except SandboxError as error:
            said = f" {error}"
        if host.poll() is not None or time.monotonic() > deadline:
            logs = Live(sandbox).logs
            last = "\n".join((logs / "host.log").read_text().splitlines()[-10:])
            raise SandboxError(
                f"{what} of the live cluster is not ready; logs: {logs}.{said} The end of host.log:\n{last}"
            )
        time.sleep(0.2)
