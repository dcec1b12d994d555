"""The offline run: the whole program under Pulumi's mocks, without engine, cluster or AWS, and what it registers.

As a script it runs the checkout in the current directory, which may be another than this one, and prints JSON.
"""

import asyncio
import contextlib
import hashlib
import json
import runpy
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pulumi
import yaml
from pulumi.runtime import rpc
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.stack import wait_for_rpcs

from components.foundation.chart_pins import PINS, archive
from components.settings import PROJECT, of_project, secrets
from operations import aws_outputs

# The account of the committed stacks on EKS, which the mock of AWS needs.
ACCOUNT = {"region": "ap-southeast-1", "allowedAccountIds": ["111122223333"]}


@dataclass(frozen=True)
class Registered:
    """A resource that the program registered, with its inputs in the engine's spelling."""

    urn: str
    type: str
    name: str
    inputs: dict[str, Any]
    provider: str
    parent: str
    custom: bool
    retain_on_delete: bool
    ignore_changes: tuple[str, ...]
    replace_on_changes: tuple[str, ...]
    aliases: tuple[str, ...]
    dependencies: tuple[str, ...]


class ProviderMocks(Mocks):
    """Providers that return what was asked of them, and what only a cluster or AWS would add."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        """Return an id and the outputs of a resource."""
        outputs = dict(args.inputs)
        if args.typ == "kubernetes:core/v1:Service":
            outputs["status"] = {"loadBalancer": {"ingress": [{"hostname": f"{args.name}.example.com"}]}}
        if args.typ.startswith("aws:"):
            urn = f"urn:pulumi:test::{PROJECT}::{args.typ}::{args.name}"
            return aws_outputs.made_up_id(urn, outputs), aws_outputs.outputs(urn, outputs, ACCOUNT, preview=False)
        return f"{args.name}-id", outputs

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        """Refuse: the program asks providers for nothing."""
        raise AssertionError(f"the program asked a provider for {args.token}")


class _Monitor(MockMonitor):
    """Keeps every registration."""

    def __init__(self) -> None:
        super().__init__(ProviderMocks())
        self.registered: list[Registered] = []
        self._aliases: dict[str, tuple[str, ...]] = {}

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """Return the URN as the engine makes it: with the types of all parents, but for the stack's."""
        types = parent.split("::")[2] if parent else ""
        if types and types != "pulumi:pulumi:Stack":
            type_ = f"{types}${type_}"
        return "::".join([f"urn:pulumi:{pulumi.get_stack()}", pulumi.get_project(), type_, name])

    def _inherited(self, parent: str, type_: str, name: str) -> list[str]:
        """Return the aliases that a child has since its parent has some, as the engine derives them."""
        parent_name, urns = parent.split("::")[-1], []
        for alias in self._aliases.get(parent, ()):
            own = alias.split("::")[-1] + name.removeprefix(parent_name) if name.startswith(parent_name) else name
            urns.append(self.make_urn(alias, type_, own))
        return urns

    def GetDeploymentInfo(self, request: Any) -> Any:  # noqa: N802
        info = super().GetDeploymentInfo(request)  # type: ignore[no-untyped-call]
        # Without it the SDK spells aliases out as URNs.
        info.supportedFeatures.remove(resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS)
        return info

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.type != "pulumi:pulumi:Stack":
            inherited = self._inherited(request.parent, request.type, request.name)
            self._aliases[answer.urn] = (*request.aliasURNs, *(alias.urn for alias in request.aliases), *inherited)
            self.registered.append(
                Registered(
                    urn=answer.urn,
                    type=request.type,
                    name=request.name,
                    inputs=rpc.deserialize_properties(request.object),
                    provider=request.provider,
                    parent=request.parent,
                    custom=request.custom,
                    retain_on_delete=request.retainOnDelete,
                    ignore_changes=tuple(request.ignoreChanges),
                    replace_on_changes=tuple(request.replaceOnChanges),
                    aliases=self._aliases[answer.urn],
                    dependencies=tuple(request.dependencies),
                )
            )
        return answer


@dataclass(frozen=True)
class Run:
    """The resources that one run of the program registered, and its outputs."""

    resources: list[Registered]
    outputs: dict[str, Any]

    def of_type(self, type_: str) -> list[Registered]:
        """Return the resources of one type."""
        return [resource for resource in self.resources if resource.type == type_]


def configuration(root: Path, stack: str) -> dict[str, str]:
    """Return the configuration of a stack as the engine gives it, without decrypting anything.

    Each secret has a placeholder that is made of its encrypted text, so that it changes when that does.
    """
    config = yaml.safe_load((root / f"Pulumi.{stack}.yaml").read_text()).get("config") or {}
    values = {f"{PROJECT}:{key}": value for key, value in of_project(config).items()}
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    return texts | {key: _placeholder(texts.get(key, "")) for key in _secret_keys()}


def _placeholder(encrypted: str) -> str:
    """Return a text in the form of a DSN, which is as good as any for every other secret."""
    return f"https://{hashlib.sha256(encrypted.encode()).hexdigest()[:16]}@secret.invalid/1"


def _secret_keys() -> list[str]:
    return [f"{PROJECT}:{key}" for key in secrets.PURPOSES]


def run(root: Path, stack: str, values: dict[str, str], charts: Path) -> Run:
    """Run the program as the engine does, and return what it registered.

    The checks of the engine, the cluster and the kubeconfig are left out.

    Args:
        root: the project's folder.
        stack: the stack's name.
        values: its configuration; `charts.directory` is replaced.
        charts: an empty directory, where empty files with the names of the archives are made.
    """
    for chart in PINS:
        archive(str(charts), chart).touch()
    settings = json.loads(values.get(f"{PROJECT}:charts", "{}"))
    values = {**values, f"{PROJECT}:charts": json.dumps({**settings, "directory": str(charts)})}
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    # The mocks make a loop in each thread that they run in, and close none.
    loops: list[asyncio.AbstractEventLoop] = []
    executor = ThreadPoolExecutor(initializer=lambda: loops.append(_loop_of_thread()))
    loop.set_default_executor(executor)
    monitor, exports = _Monitor(), dict[str, Any]()
    pulumi.runtime.set_mocks(ProviderMocks(), project=PROJECT, stack=stack, preview=False, monitor=monitor)
    pulumi.runtime.set_all_config(values, _secret_keys())

    async def program() -> dict[str, Any]:
        runpy.run_path(str(root / "__main__.py"))
        await wait_for_rpcs()
        return {name: await pulumi.Output.from_input(value).future() for name, value in exports.items()}

    with (
        patch("pulumi.require_pulumi_version"),
        patch("components.settings.kubeconfig.problems", return_value=[]),
        patch("components.foundation.cluster_check.missing", return_value=[]),
        patch("components.foundation.cluster_check.of_others", return_value=[]),
        patch("components.foundation.cluster_check.of_another_kind", return_value=[]),
        patch("components.foundation.cluster_check.impossible", return_value=[]),
        patch("components.foundation.cluster_check.cut_off", return_value=[]),
        patch("components.foundation.cluster_check.tell_enforcer"),
        patch("components.foundation.cluster_check.refusals", return_value=[]),
        patch("kubernetes.config.new_client_from_config"),
        patch("pulumi.export", exports.__setitem__),
    ):
        try:
            return Run(monitor.registered, loop.run_until_complete(program()))
        finally:
            executor.shutdown()
            for each in (*loops, loop):
                each.close()


def _loop_of_thread() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop


def main() -> int:
    """Print what the program in the current directory registers for the stack that is the argument."""
    stack, root = sys.argv[1], Path.cwd()
    try:
        with tempfile.TemporaryDirectory() as charts, contextlib.redirect_stdout(sys.stderr):
            resources = run(root, stack, configuration(root, stack), Path(charts)).resources
    except pulumi.RunError as error:
        print(error, file=sys.stderr)
        return 1
    json.dump([asdict(resource) for resource in resources], sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
