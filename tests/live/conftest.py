"""A live cluster of the tests' own, and the project on it."""

import json
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3
from kubernetes import config
from urllib3.exceptions import HTTPError

from sandbox import clusters, stand_ins
from sandbox.images import catalogue
from sandbox.layout import Sandbox, ports_from
from sandbox.live import cgroups, machine
from sandbox.live.layout import Live
from sandbox.live.node import TUNABLES
from sandbox.program_pins import KUBECTL
from tests.sandbox.conftest import CANARIES, Api, Project, changes, copy_project

FIRST_PORT = 28843
UP_SECONDS = 900
# What a changed object takes to reach a running program: the kubelet looks at each ConfigMap and Secret once a minute.
REACHES_SECONDS = 120
SECRETS = CANARIES
_POOL = urllib3.PoolManager()


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


def execute(
    project: Project, pod: str, *command: str, namespace: str = "monitoring", container: str | None = None
) -> str:
    """Run a command in a pod, in its first container unless another is named, and return what it printed."""
    kubectl = [str(KUBECTL.path), f"--kubeconfig={project.sandbox.kubeconfig}", "-n", namespace, "exec", pod]
    named = ["-c", container] if container else []
    done = subprocess.run([*kubectl, *named, "--", *command], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="package")
def api(project: Project) -> Api:
    """The cluster's API server."""
    return Api(config.new_client_from_config(str(project.sandbox.kubeconfig)))  # type: ignore[no-untyped-call]


def bring_up(project: Project, stack: str) -> dict[str, int]:
    """Bring a stack up whose pods must become ready, and return what the engine did."""
    began = time.monotonic()
    done = changes(project.pulumi(stack, "up", "--yes", "--skip-preview", timeout=UP_SECONDS))
    print(f"\nup of {stack}: {time.monotonic() - began:.0f} s, {done}")
    return done


@dataclass(frozen=True)
class Answer:
    """What an HTTP server answered."""

    status: int
    text: str

    @property
    def document(self) -> Any:
        """The body, which is JSON."""
        return json.loads(self.text)


def ask(
    url: str,
    login: tuple[str, str] | None = None,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    pool: urllib3.PoolManager = _POOL,
) -> Answer:
    """Ask a server of the cluster, through 127.0.0.1; `pool` has the authority that it is known by."""
    # A connection that is kept would lead to a pod that has ended.
    sent = {
        "Connection": "close",
        **(headers or {}),
        **(urllib3.make_headers(basic_auth=":".join(login)) if login else {}),
    }
    method = "GET" if body is None else "POST"
    # Where a connection is lost without an answer, it is asked again: rules of the network change while pods come up.
    retries = urllib3.Retry(3, backoff_factor=0.5)
    answer = pool.request(method, url, json=body, headers=sent, timeout=30, retries=retries, redirect=False)
    return Answer(answer.status, answer.data.decode())


def until(look: Callable[[], Any], seconds: float, what: str) -> Any:
    """Look until there is something, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := _looked(look)):
        assert time.monotonic() < deadline, f"{what}: not in {seconds:.0f} s"
        time.sleep(1)
    return found


def _looked(look: Callable[[], Any]) -> Any:
    try:
        return look()
    except (OSError, HTTPError):
        return None


def pods(api: Api, *namespaces: str) -> list[dict[str, Any]]:
    """Return the pods of these namespaces, those of the stack if none is given."""
    spaces = namespaces or ("monitoring", "monitoring-agents")
    return [pod for space in spaces for pod in api.get(f"/api/v1/namespaces/{space}/pods")["items"]]


def unwell(pod: dict[str, Any]) -> str:
    """Return what is not as it should be with a pod: not ready, restarted; "" if nothing is."""
    status = pod["status"]
    if status["phase"] == "Succeeded":
        return ""
    containers = status.get("containerStatuses", []) + status.get("initContainerStatuses", [])
    restarted = [f"{one['name']} restarted {one['restartCount']} times" for one in containers if one["restartCount"]]
    waiting = [f"{one['name']} not ready" for one in status.get("containerStatuses", []) if not one["ready"]]
    return ", ".join([*restarted, *waiting] or ([] if status["phase"] == "Running" else [status["phase"]]))


def is_ready(pod: dict[str, Any]) -> bool:
    """Return whether all containers of a pod are ready, or have done what they were there for."""
    statuses = pod["status"].get("containerStatuses", [])
    return pod["status"]["phase"] == "Succeeded" or (bool(statuses) and all(one["ready"] for one in statuses))


def query(base: str, expression: str, login: tuple[str, str] | None = None) -> list[dict[str, Any]]:
    """Return what Prometheus answers to an expression, now."""
    answer = ask(f"{base}/api/v1/query?{urllib.parse.urlencode({'query': expression})}", login)
    assert answer.status == 200, answer.text
    result: list[dict[str, Any]] = answer.document["data"]["result"]
    return result
