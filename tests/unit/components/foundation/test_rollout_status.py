"""When a Deployment that an operator makes counts as rolled out, and what is said where it does not become so."""

import asyncio
import http.server
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from components.foundation import rollout_status
from components.foundation.rollout_status import ANNOTATION, RolloutStatusArgs
from tests.serving import serving

DEPLOYMENTS: dict[str, Any] = {}


def deployment(configuration: str, generation: int, observed: int, updated: int, pods: int, ready: int) -> Any:
    """Return a Deployment of two replicas as the API server has it."""
    return {
        "metadata": {"name": "collector", "generation": generation},
        "spec": {
            "replicas": 2,
            "selector": {},
            "template": {"metadata": {"annotations": {ANNOTATION: configuration}}},
        },
        "status": {
            "observedGeneration": observed,
            "updatedReplicas": updated,
            "replicas": pods,
            "availableReplicas": ready,
        },
    }


class Server(http.server.BaseHTTPRequestHandler):
    """Answers with the Deployments that are there, and with no pods and no events."""

    def do_GET(self) -> None:
        name = self.path.split("?")[0].rpartition("/")[2]
        found = {"items": []} if name in ("pods", "events") else DEPLOYMENTS.get(name)
        body = json.dumps(found).encode()
        self.send_response(404 if found is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def args(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[RolloutStatusArgs]:
    """Return what is waited for, on a cluster of which a server answers for the Deployments."""
    DEPLOYMENTS.clear()
    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)) as port:
        kubeconfig = {
            "current-context": "x",
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
            "clusters": [{"name": "x", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
            "users": [{"name": "x", "user": {}}],
        }
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
        location = "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION"
        monkeypatch.setattr(location, str(tmp_path / "kubeconfig"))
        monkeypatch.setattr(rollout_status, "_POLL_SECONDS", 0.05)
        yield RolloutStatusArgs(
            context="x",
            namespace="monitoring",
            instance="jaeger",
            deployments=["collector"],
            configuration="new",
            generation=2,
            timeout_seconds=1,
        )


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(None, id="the operator has not made it"),
        pytest.param(deployment("old", 1, 1, 2, 2, 2), id="the operator has not acted: it is of before, and ready"),
        pytest.param(deployment("new", 2, 1, 2, 2, 2), id="Kubernetes has not seen it"),
        pytest.param(deployment("new", 2, 2, 0, 0, 0), id="as many ready pods as pods, which is none"),
        pytest.param(deployment("new", 2, 2, 1, 3, 2), id="half of the pods are new"),
        pytest.param(deployment("new", 2, 2, 2, 2, 1), id="one is not ready"),
    ],
)
def test_what_is_not_rolled_out_is_told_with_its_reasons(args: RolloutStatusArgs, found: Any) -> None:
    DEPLOYMENTS["collector"] = found
    with pytest.raises(pulumi.RunError, match=r"collector did not become ready in 1 s\n.*no pod was created"):
        rollout_status._wait(args, "new")


def test_what_is_rolled_out_is_waited_for_no_longer(args: RolloutStatusArgs) -> None:
    DEPLOYMENTS["collector"] = deployment("new", 2, 2, 2, 2, 2)
    rollout_status._wait(args, "new")


def test_meanwhile_the_program_goes_on(args: RolloutStatusArgs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hook runs on the event loop by which all else is registered."""
    hooks: list[Any] = []
    # There is no engine to register anything with.
    monkeypatch.setattr(pulumi, "ResourceHook", lambda _, hook: hooks.append(hook))
    monkeypatch.setattr(pulumi, "ResourceHookBinding", lambda **_: None)
    monkeypatch.setattr(pulumi.ComponentResource, "__init__", lambda *_: None)
    monkeypatch.setattr(pulumi.ComponentResource, "register_outputs", lambda *_: None)
    rollout_status.RolloutStatus("x", args)

    async def ticks() -> int:
        inputs = {"configuration": "new", "generation": 2}
        waiting = hooks[0](pulumi.ResourceHookArgs("urn", "id", "x", "type", inputs))
        assert inspect.isawaitable(waiting)
        task = asyncio.ensure_future(waiting)
        count = 0
        while not task.done():
            await asyncio.sleep(0.05)
            count += 1
        assert isinstance(task.exception(), pulumi.RunError)
        return count

    assert asyncio.run(ticks()) > 5
