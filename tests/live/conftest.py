"""A live cluster of the tests' own, and the stack `local` on it."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import config

from components.foundation.set_up_job import IMAGE
from sandbox import clusters, stand_ins
from sandbox.images import catalogue
from sandbox.layout import Sandbox, ports_from
from sandbox.live import cgroups, machine
from sandbox.live.layout import Live
from sandbox.live.node import TUNABLES
from tests.live.asking import bring_up, until, unwell
from tests.live.stack import send_trace
from tests.sandbox.conftest import Api, Project, copy_project

FIRST_PORT = 28843


@pytest.fixture(scope="package")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The program on a live cluster that is removed in the end, without a trace; nothing is up yet."""
    directory = tmp_path_factory.mktemp("live")
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


@pytest.fixture(scope="package")
def api(project: Project) -> Api:
    """The cluster's API server."""
    return Api(config.new_client_from_config(str(project.sandbox.kubeconfig)))  # type: ignore[no-untyped-call]


@pytest.fixture(scope="package", autouse=True)
def local(project: Project) -> None:
    """The stack is up for all tests of this folder; it goes with the cluster."""
    project.prepare("local")
    bring_up(project, "local")


@pytest.fixture(scope="package")
def application(api: Api) -> str:
    """A pod in the application's namespace, whose first process logs one line a second, in the guide's form."""
    program = """
import logging, sys, time
form = "%(asctime)s %(levelname)s [%(name)s] %(message)s"
logging.basicConfig(format=form, level="INFO", stream=sys.stdout)
number = 0
while True:
    number += 1
    logging.getLogger("mangakai").info("canary %d", number)
    time.sleep(1)
"""
    container = {"name": "backend", "image": IMAGE, "command": ["python", "-c", program]}
    pod: Any = {
        "metadata": {"name": "canary", "labels": {"app": "mangakai-backend"}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }
    api.core.create_namespaced_pod("mangakai-prod", pod)
    until(lambda: not unwell(api.get("/api/v1/namespaces/mangakai-prod/pods/canary")), 60, "the application's pod")
    return "canary"


@pytest.fixture(scope="package")
def trace(project: Project, application: str) -> None:
    """A trace was sent from the application to the endpoint that the stack gives."""
    endpoint = json.loads(project.pulumi("local", "stack", "output", "--json").stdout)["otlpEndpoint"]
    send_trace(project, application, endpoint)
