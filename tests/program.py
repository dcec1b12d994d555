"""Runs the whole program under Pulumi's mocks, and keeps every registration."""

import asyncio
import json
import runpy
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pulumi
import yaml
from pulumi.runtime import rpc
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks
from pulumi.runtime.stack import wait_for_rpcs

from components.charts import PINS, archive
from components.settings import PROJECT, secrets
from sandbox import aws_echo

ROOT = Path(__file__).parent.parent
# What the stacks of EKS say of their account.
ACCOUNT = {"region": "ap-southeast-1", "allowedAccountIds": ["111122223333"]}


@dataclass(frozen=True)
class Registered:
    """One resource that the program registered, with its inputs in the engine's spelling."""

    type: str
    name: str
    inputs: dict[str, Any]
    provider: str
    parent: str
    custom: bool
    retain_on_delete: bool
    ignore_changes: tuple[str, ...]


class Answers(Mocks):
    """Answers with what was asked, and with what only a cluster or AWS would add."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        outputs = dict(args.inputs)
        if args.typ == "kubernetes:core/v1:Service":
            outputs["status"] = {"loadBalancer": {"ingress": [{"hostname": f"{args.name}.example.com"}]}}
        if args.typ.startswith("aws:"):
            urn = f"urn:pulumi:test::{PROJECT}::{args.typ}::{args.name}"
            return aws_echo.made_up_id(urn, outputs), aws_echo.outputs(urn, outputs, ACCOUNT, preview=False)
        return f"{args.name}-id", outputs

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"the program asked a provider for {args.token}")


class _Monitor(MockMonitor):
    """Keeps every registration."""

    def __init__(self) -> None:
        super().__init__(Answers())
        self.registered: list[Registered] = []

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        if request.type != "pulumi:pulumi:Stack":
            self.registered.append(
                Registered(
                    type=request.type,
                    name=request.name,
                    inputs=rpc.deserialize_properties(request.object),
                    provider=request.provider,
                    parent=request.parent,
                    custom=request.custom,
                    retain_on_delete=request.retainOnDelete,
                    ignore_changes=tuple(request.ignoreChanges),
                )
            )
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Run:
    """What one run of the program registered, and its outputs."""

    resources: list[Registered]
    outputs: dict[str, Any]

    def of_type(self, type_: str) -> list[Registered]:
        """Return the resources of one type."""
        return [resource for resource in self.resources if resource.type == type_]


def canary(key: str) -> str:
    """Return the value of a secret under test, which can be searched for."""
    text = f"canary-{key}-7f3a"
    return f"https://{text}@sentry.example.com/1" if key == "sentryDsn" else text


def configuration(stack: str, overrides: dict[str, Any] | None = None) -> dict[str, str]:
    """Return the configuration of a stack as the engine gives it, with canaries for secrets."""
    config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    values = {key: value for key, value in config.items() if key.startswith(f"{PROJECT}:")}
    values |= {f"{PROJECT}:{key}": value for key, value in (overrides or {}).items()}
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    return {**{f"{PROJECT}:{key}": canary(key) for key in secrets.PURPOSES}, **texts}


def run(stack: str, charts: Path, overrides: dict[str, Any] | None = None) -> Run:
    """Run the program as the engine does for `stack`, and return what it registered.

    The cluster and the kubeconfig are not asked: tests of their own do that.

    Args:
        stack: whose file is read.
        charts: an empty directory, for names of chart archives.
        overrides: top-level keys of the settings to replace.
    """
    for chart in PINS:
        archive(str(charts), chart).touch()
    values = configuration(stack, {"charts": {"directory": str(charts)}, **(overrides or {})})
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    monitor, exports = _Monitor(), dict[str, Any]()
    pulumi.runtime.set_mocks(Answers(), project=PROJECT, stack=stack, preview=False, monitor=monitor)
    pulumi.runtime.set_all_config(values, [f"{PROJECT}:{key}" for key in secrets.PURPOSES])

    async def program() -> dict[str, Any]:
        runpy.run_path(str(ROOT / "__main__.py"))
        await wait_for_rpcs()
        return {name: await pulumi.Output.from_input(value).future() for name, value in exports.items()}

    with (
        patch("components.settings.kubeconfig.problems", return_value=[]),
        patch("components.cluster.missing", return_value=[]),
        patch("kubernetes.config.new_client_from_config"),
        patch("pulumi.export", exports.__setitem__),
    ):
        return Run(monitor.registered, loop.run_until_complete(program()))
