"""Asks a live cluster: its pods, and the servers in it through 127.0.0.1."""

import json
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError

from sandbox.program_pins import KUBECTL
from tests.sandbox.conftest import Api, Project, changes

UP_SECONDS = 900
_POOL = urllib3.PoolManager()


def execute(
    project: Project, pod: str, *command: str, namespace: str = "monitoring", container: str | None = None
) -> str:
    """Run a command in a pod, in its first container unless another is named, and return what it printed."""
    kubectl = [str(KUBECTL.path), f"--kubeconfig={project.sandbox.kubeconfig}", "-n", namespace, "exec", pod]
    named = ["-c", container] if container else []
    done = subprocess.run([*kubectl, *named, "--", *command], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


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
    method: str | None = None,
) -> Answer:
    """Ask a server of the cluster, through 127.0.0.1, by GET, or POST where there is a body, or another method.

    `pool` has the authority that the server is known by.
    """
    # A connection that is kept would lead to a pod that has ended.
    sent = {
        "Connection": "close",
        **(headers or {}),
        **(urllib3.make_headers(basic_auth=":".join(login)) if login else {}),
    }
    method = method or ("GET" if body is None else "POST")
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
