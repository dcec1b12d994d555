"""The fixtures of a stack that is brought up on a live cluster of its own, which goes without a trace."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import config

from sandbox import clusters, stand_ins
from sandbox.images import catalogue
from sandbox.layout import Sandbox, ports_from
from sandbox.live import cgroups, machine
from sandbox.live.layout import Live
from sandbox.live.node import TUNABLES
from tests.live.application import start_application
from tests.sandbox.conftest import Api, Project, copy_project

FIRST_PORT = 28843


@pytest.fixture(scope="package")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The program on a live cluster of its own."""
    yield from _on_live_cluster(tmp_path_factory.mktemp("live"))


@pytest.fixture(scope="package")
def api(project: Project) -> Api:
    """The cluster's API server."""
    return Api(config.new_client_from_config(str(project.sandbox.kubeconfig)))  # type: ignore[no-untyped-call]


@pytest.fixture(scope="package")
def application(api: Api) -> str:
    """A pod in the application's namespace, whose first process logs one line a second."""
    return start_application(api)


def _on_live_cluster(directory: Path) -> Iterator[Project]:
    """Yield the program on a live cluster that is removed in the end; nothing is up yet."""
    if lacks := [*machine.check(directory), *catalogue.lacks()]:
        pytest.skip("; ".join(lacks))
    before = machine_state()
    sandbox = Sandbox(directory / "sandbox", ports_from(FIRST_PORT))
    folder = directory / "project"
    copy_project(folder)
    try:
        began = time.monotonic()
        clusters.start(sandbox, want_live=True)
        print(f"\nthe cluster: {time.monotonic() - began:.0f} s")
        stand_ins.pack(sandbox.directory / "charts")
        yield Project(sandbox, folder)
    finally:
        remove(sandbox)
    assert machine_state() == before


def machine_state() -> dict[str, str]:
    """Return what kubelet and containerd would change of the machine: settings of its kernel, and folders."""
    folders = ("/etc/cni", "/opt/cni", "/opt/containerd", "/usr/libexec/kubernetes", "/var/lib/cni", "/var/lib/kubelet")
    settings = {name: Path("/proc/sys", name).read_text().strip() for name in TUNABLES}
    return settings | {folder: str(Path(folder).exists()) for folder in folders}


def remove(sandbox: Sandbox) -> None:
    """Remove the cluster, and see that nothing of it is left on this machine."""
    if not sandbox.directory.exists():
        return
    group = Live(sandbox).cgroup
    clusters.remove(sandbox)
    assert not sandbox.directory.exists()
    assert [mount for mount, _ in cgroups.hierarchies() if (mount / group).exists()] == []
    assert str(sandbox.directory) not in Path("/proc/self/mounts").read_text()
    commands = [file.read_bytes() for file in Path("/proc").glob("[0-9]*/cmdline") if file.exists()]
    assert [command for command in commands if str(sandbox.directory).encode() in command] == []
