"""A sandbox of the tests' own, and the project on it: a copy, so that a test may change a file."""

import base64
import gzip
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config

from components.settings import secrets
from operations.engine import Pulumi
from operations.repair.repair import repair
from sandbox import cluster, operators, processes, session, stand_ins
from sandbox.build import ensure
from sandbox.environment import environment, install
from sandbox.layout import CHECKOUT, Sandbox, ports_from
from sandbox.program_pins import PROVIDER, Group, of_groups
from sandbox.stacks import laid_over, prepare

FIRST_PORT = 28443
CANARIES = {key: f"canary-{key}-9d41" for key in secrets.PURPOSES} | {
    "slackApiUrl": "https://hooks.slack.com/services/canary-9d41",
    "heartbeatUrl": "https://heartbeat.invalid/canary-9d41",
    "sentryDsn": "https://canary-9d41@sentry.example.com/1",
}


@dataclass(frozen=True)
class Project:
    """The program in a folder of its own, on a sandbox."""

    sandbox: Sandbox
    folder: Path

    def environment(self, stack: str) -> dict[str, str]:
        """Return the environment of the engine for `stack`."""
        return os.environ | environment(self.sandbox, stack)

    def prepare(self, stack: str, **settings: dict[str, object]) -> None:
        """Lay `settings` over those of `stack`, which then is what the engine reads."""
        charts = os.path.relpath(self.sandbox.directory / "charts", self.folder)
        overlay = laid_over(session.own_settings(self.sandbox, charts), settings)
        prepare(self.sandbox, stack, CANARIES, overlay, self.folder)

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of the engine."""
        return ["pulumi", *arguments, "--non-interactive"]

    def pulumi(self, stack: str, *arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run the engine on `stack`, whatever its exit status."""
        variables = self.environment(stack)
        program = shutil.which("pulumi", path=variables["PATH"])
        return subprocess.run(
            [str(program), *self.command(*arguments)[1:]],
            cwd=self.folder,
            env=variables,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def up(self, stack: str) -> dict[str, int]:
        """Bring `stack` up, and return how many resources were created, updated, unchanged, …"""
        return changes(self.pulumi(stack, "up", "--yes", "--skip-preview"))

    def destroy(self, stack: str) -> dict[str, int]:
        """Destroy `stack`, and return how many resources were deleted, …"""
        return changes(self.pulumi(stack, "destroy", "--yes", "--skip-preview"))

    def previewed(self, stack: str) -> list[tuple[str, str, str]]:
        """Return what a preview would change: operation, type and name of each resource."""
        done = self.pulumi(stack, "preview", "--json")
        assert done.returncode == 0, done.stderr + done.stdout
        steps = json.loads(done.stdout).get("steps", [])
        urns = [(step["op"], step["urn"].split("::")) for step in steps if step["op"] not in ("same", "read")]
        return [(op, urn[2].split("$")[-1], urn[3]) for op, urn in urns]

    def state(self, stack: str) -> list[dict[str, Any]]:
        """Return the resources in the state of `stack`."""
        deployment = Pulumi(stack, self.environment(stack), self.folder).state()["deployment"]
        return list(deployment.get("resources") or [])

    def repair(self, stack: str) -> list[str]:
        """Repair `stack` as `make up` does."""
        end_provider = partial(processes.stop, self.sandbox, PROVIDER.name)
        return repair(stack, self.environment(stack), self.folder, end_provider)


def changes(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """Return the counts in the engine's summary."""
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    summary = done.stdout.split("Resources:")[-1]
    found = re.findall(r"(\d+) (created|updated|deleted|replaced|unchanged|retained)", summary)
    return {what: int(number) for number, what in found}


@dataclass(frozen=True)
class Api:
    """The API server of the sandbox."""

    connection: client.ApiClient

    @property
    def core(self) -> client.CoreV1Api:
        return client.CoreV1Api(self.connection)

    @property
    def apps(self) -> client.AppsV1Api:
        return client.AppsV1Api(self.connection)

    def get(self, path: str) -> Any:
        """Return what lies at a path of the API."""
        answer = self.connection.call_api(
            *self.connection.param_serialize(
                "GET", path, header_params={"Accept": "application/json"}, auth_settings=["BearerToken"]
            )
        )
        return json.loads(answer.read())  # type: ignore[no-untyped-call]

    def made(self, path: str, seconds: float = 60) -> Any:
        """Return what an operator makes at a path of the API, as soon as it is there: on a busy machine after `up`."""
        end = time.monotonic() + seconds
        while (found := self.get(path)).get("kind") == "Status":
            assert time.monotonic() < end, f"{path}: {found.get('message')} for {seconds:.0f} s"
            time.sleep(1)
        return found

    def config_map(self, name: str, namespace: str = "monitoring") -> dict[str, str]:
        """Return the data of a ConfigMap."""
        return dict(self.get(f"/api/v1/namespaces/{namespace}/configmaps/{name}")["data"])

    def secret(self, name: str, namespace: str = "monitoring") -> dict[str, str]:
        """Return the data of a Secret."""
        data = self.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def claims(self) -> dict[str, str]:
        """Return the uid of each volume claim, by name."""
        items = self.get("/api/v1/namespaces/monitoring/persistentvolumeclaims")["items"]
        return {item["metadata"]["name"]: item["metadata"]["uid"] for item in items}

    def helm_records(self) -> list[str]:
        """Return Helm's records as text."""
        found = self.get("/api/v1/secrets?labelSelector=owner%3Dhelm")["items"]
        return [gzip.decompress(base64.b64decode(base64.b64decode(item["data"]["release"]))).decode() for item in found]


def copy_project(folder: Path) -> None:
    """Copy the project, as Git knows it, into a folder."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, tracked.split("\0")):
        if (CHECKOUT / name).is_file() and not name.startswith(("tests/", "docs/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, folder / name)
    (folder / ".venv").symlink_to(CHECKOUT / ".venv")


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The program on a sandbox that is removed in the end; nothing is up yet."""
    ensure(of_groups(Group.ENGINE, Group.CLUSTER, Group.TESTING))
    directory = tmp_path_factory.mktemp("sandbox")
    sandbox = Sandbox(directory / "sandbox", ports_from(FIRST_PORT))
    folder = directory / "project"
    copy_project(folder)
    try:
        cluster.start(sandbox)
        install(sandbox)
        stand_ins.pack(sandbox.directory / "charts")
        operators.start(sandbox)
        yield Project(sandbox, folder)
    finally:
        cluster.remove(sandbox)


@pytest.fixture(scope="session")
def api(project: Project) -> Api:
    """The sandbox's API server."""
    return Api(config.new_client_from_config(str(project.sandbox.kubeconfig)))  # type: ignore[no-untyped-call]
