"""The pod in the application's namespace that watches services while a stack changes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.foundation.set_up_job import IMAGE
from tests.live.application import NAMESPACE
from tests.live.asking import until, unwell
from tests.sandbox.conftest import Api

NAME = "watcher"
PROGRAM = Path(__file__).with_name("watch.py")
# What to ask: URL, body, login.
Asked = tuple[str, str | None, str | None]


def start(api: Api, asked: Sequence[Asked]) -> None:
    """Start the pod, which asks all of these every second."""
    command = ["python", "-c", PROGRAM.read_text(), json.dumps(asked)]
    container = {"name": NAME, "image": IMAGE, "command": command}
    pod: Any = {"metadata": {"name": NAME}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 1}}
    api.core.create_namespaced_pod(NAMESPACE, pod)
    until(lambda: not unwell(api.get(f"/api/v1/namespaces/{NAMESPACE}/pods/{NAME}")), 60, "the watcher")


def stop(api: Api) -> list[str]:
    """End the pod, and return when what did not serve."""
    log = api.core.read_namespaced_pod_log(NAME, NAMESPACE)
    api.core.delete_namespaced_pod(NAME, NAMESPACE)
    return list(log.splitlines())
