"""The user's actions on a sandbox: bring a stack up, preview one, take everything down."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from components.foundation.chart_pins import PINS, archive
from components.settings import secrets
from operations.preview.show import deployed
from operations.repair.repair import repair
from sandbox import clusters, processes, stand_ins, table
from sandbox.environment import environment, exports
from sandbox.layout import CHECKOUT, Sandbox, ports_from
from sandbox.processes import SandboxError
from sandbox.program_pins import PROVIDER
from sandbox.sizes import of_one_machine
from sandbox.stacks import laid_over, prepare

ANSWER_SECONDS = 120
# What a real cluster has and the sandbox has not: an API server that reaches Services, and cert-manager.
WITHOUT_WEBHOOKS: dict[str, dict[str, object]] = {
    "cluster": {"admissionWebhooks": False},
    "traces": {"certManager": "none"},
}
# Throwaway values: the sandbox holds nothing, and its stacks must be the same in each run.
SECRETS = {key: f"sandbox-{key}-throwaway" for key in secrets.PURPOSES} | {
    "slackApiUrl": "https://hooks.slack.com/services/T000/B000/sandbox",
    "heartbeatUrl": "https://heartbeat.invalid/sandbox",
    "sentryDsn": "https://sandbox@sentry.invalid/1",
}


def up(sandbox: Sandbox, stack: str, charts: Path | None, as_json: bool, live: bool) -> int:
    """Bring `stack` up by the real engine, and show where it answers. Returns the engine's exit status."""
    began = time.monotonic()
    variables = _ready(sandbox, stack, charts, live)
    if others := _others(sandbox, stack):
        raise SandboxError(
            f"stack {others[0]} is on the sandbox, and both use the namespace monitoring. "
            f'Remove it first: eval "$(make env STACK={others[0]})" && pulumi destroy'
        )
    _repair(sandbox, stack, variables)
    status = _pulumi(variables, "up", "--yes", "--skip-preview")
    if status == 0:
        outputs = json.loads(
            subprocess.run(
                ["pulumi", "stack", "output", "--json"], cwd=CHECKOUT, env=variables, capture_output=True, check=True
            ).stdout
        )
        if live:
            table.wait(outputs["urls"], ANSWER_SECONDS)
        table.show(outputs["urls"], as_json)
        if not as_json:
            table.next_steps(stack, time.monotonic() - began, live)
    return status


def shell(sandbox: Sandbox, stack: str) -> str:
    """Return the lines that make a shell speak to `stack` on the sandbox, which must be there.

    Raises:
        SandboxError: there is no sandbox yet.
    """
    if not sandbox.kubeconfig.exists():
        raise SandboxError("there is no sandbox yet: run make up or make live first")
    if not sandbox.stack_file(stack).exists():
        prepare(sandbox, stack, SECRETS, own_settings(sandbox, charts_directory(sandbox, None)))
    return exports(environment(sandbox, stack))


def is_up(sandbox: Sandbox, stack: str) -> bool:
    """Return whether the sandbox runs and `stack` is on it: with resources, or with an update that was killed.

    Raises:
        SandboxError: it is another user's, as that of `sudo make live`.
    """
    if sandbox.kubeconfig.exists() and not os.access(sandbox.kubeconfig, os.R_OK):
        raise SandboxError(f"the sandbox in {sandbox.directory} is another user's: run the same as that one")
    return clusters.is_running(sandbox) and (_has_resources(sandbox, stack) or _was_interrupted(sandbox, stack))


def preview(sandbox: Sandbox, stack: str, charts: Path | None, as_json: bool) -> int:
    """Show what `pulumi up` would change in `stack`, object by object. Returns the exit status of the preview.

    Where another stack is up, whose objects have the same names, it is previewed on an empty cluster beside it.
    """
    others = _others(sandbox, stack)
    if not others:
        return _preview(sandbox, stack, charts, as_json)
    print(f"Stack {others[0]} is on the sandbox: {stack} is previewed on a cluster of its own.", file=sys.stderr)
    beside = Sandbox(sandbox.directory.with_name(".sandbox-preview"), ports_from(max(sandbox.ports) + 1))
    try:
        return _preview(beside, stack, charts, as_json)
    finally:
        clusters.remove(beside)


def _preview(sandbox: Sandbox, stack: str, charts: Path | None, as_json: bool) -> int:
    with contextlib.redirect_stdout(sys.stderr if as_json else sys.stdout):
        variables = _ready(sandbox, stack, charts, None)
    return deployed(stack, variables, CHECKOUT, as_json)


def down(sandbox: Sandbox) -> int:
    """Destroy every stack on the sandbox, then remove it with all its processes and files. Returns 0.

    Those of a live cluster go with it: to be destroyed there takes minutes, for Kubernetes waits for the pods.
    """
    if not sandbox.directory.exists():
        print("There is no sandbox.")
        return 0
    if clusters.is_running(sandbox) and not clusters.is_live(sandbox):
        for stack in _stacks(sandbox):
            if _has_resources(sandbox, stack):
                variables = os.environ | environment(sandbox, stack)
                _repair(sandbox, stack, variables)
                if _pulumi(variables, "destroy", "--yes", "--skip-preview") != 0:
                    print(f"Stack {stack} could not be destroyed; the whole sandbox goes anyway.", file=sys.stderr)
    clusters.remove(sandbox)
    print("The sandbox is removed; the programs that it built stay in the cache.")
    return 0


def _ready(sandbox: Sandbox, stack: str, charts: Path | None, live: bool | None) -> dict[str, str]:
    """Start the sandbox, prepare `stack` on it, and return the environment for the engine."""
    clusters.start(sandbox, live)
    prepare(sandbox, stack, SECRETS, own_settings(sandbox, charts_directory(sandbox, charts)))
    return os.environ | environment(sandbox, stack)


def own_settings(sandbox: Sandbox, charts: str) -> dict[str, dict[str, object]]:
    """Return what is laid over the settings of any stack on this sandbox."""
    own: dict[str, dict[str, object]] = {**WITHOUT_WEBHOOKS, "charts": {"directory": charts}}
    return laid_over(own, of_one_machine()) if clusters.is_live(sandbox) else own


def charts_directory(sandbox: Sandbox, given: Path | None) -> str:
    """Return where the chart archives lie, relative to the project, and say which they are."""
    official = CHECKOUT / ".charts"
    if given is not None:
        directory, what = given.resolve(), "those you gave"
    elif all(archive(str(official), chart).is_file() for chart in PINS):
        directory, what = official, "the official ones that `make charts` downloaded"
    else:
        directory = sandbox.directory / "charts"
        stand_ins.pack(directory)
        what = "Elastic's own, and the sandbox's stand-ins for Prometheus, Alertmanager, Grafana and Jaeger's operator"
    relative = os.path.relpath(directory, CHECKOUT)
    print(f"Charts: {what} ({relative})", file=sys.stderr)
    return relative


def _stacks(sandbox: Sandbox) -> list[str]:
    return sorted(
        path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in sandbox.project.glob("Pulumi.*.yaml")
    )


def _others(sandbox: Sandbox, stack: str) -> list[str]:
    return [name for name in _stacks(sandbox) if name != stack and _has_resources(sandbox, name)]


def _state(sandbox: Sandbox, stack: str) -> Path:
    return sandbox.state / ".pulumi" / "stacks" / "mangakai-monitoring" / f"{stack}.json"


def _has_resources(sandbox: Sandbox, stack: str) -> bool:
    file = _state(sandbox, stack)
    deployment = json.loads(file.read_text())["checkpoint"]["latest"] if file.exists() else None
    return bool(deployment and deployment.get("resources"))


def _repair(sandbox: Sandbox, stack: str, variables: dict[str, str]) -> None:
    """Clear away what an interrupted update of `stack` left: its provider, which goes on without it, and its traces."""
    interrupted = _was_interrupted(sandbox, stack)
    if not interrupted and not _has_resources(sandbox, stack):
        return

    def end_provider() -> None:
        if interrupted:  # else it may be that of a preview
            processes.stop(sandbox, PROVIDER.name)

    for line in repair(stack, variables, CHECKOUT, end_provider):
        print(line)


def _was_interrupted(sandbox: Sandbox, stack: str) -> bool:
    """Return whether an update of `stack` left its lock, or operations that it did not finish."""
    file = _state(sandbox, stack)
    deployment = json.loads(file.read_text())["checkpoint"]["latest"] if file.exists() else None
    locks = sandbox.state / ".pulumi" / "locks" / "organization" / "mangakai-monitoring" / stack
    return bool(any(locks.glob("*.json")) or (deployment and deployment.get("pending_operations")))


def _pulumi(variables: dict[str, str], *arguments: str) -> int:
    program = shutil.which("pulumi", path=variables["PATH"])
    if program is None:
        raise SandboxError("there is no pulumi in the sandbox: remove its directory .sandbox and run make up again")
    return subprocess.run([program, *arguments], cwd=CHECKOUT, env=variables, check=False).returncode
