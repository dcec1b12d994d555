"""Measure how long the engine takes with this program, on a cluster of its own beside the sandbox: `make bench`.

Each figure is of a whole process: the median and the slowest of its runs, and the most memory that it and all that it
started held at once. Exit statuses: 0 measured, 1 something failed.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client as api
from kubernetes import config as kubeconfig

from development.bench import grown
from development.bench.measure import Figure, line, measure
from sandbox import clusters
from sandbox.environment import environment
from sandbox.layout import CHECKOUT, Sandbox, ports_from
from sandbox.processes import SandboxError
from sandbox.program_pins import HELM
from sandbox.session import SECRETS, WITHOUT_WEBHOOKS, charts_directory
from sandbox.stacks import prepare

STACK = "local"
RULE = {"alerts": {"rules": {"HighErrorRate": {"threshold": 0.1}}}}
NODES = 500


class Bench:
    """A cluster of its own, the engine on it, and what was measured so far."""

    def __init__(self, sandbox: Sandbox, runs: int) -> None:
        self._sandbox, self._runs = sandbox, runs
        self.figures: list[Figure] = []
        clusters.start(sandbox)
        self._charts = charts_directory(sandbox, None)
        self._environment = self._prepared({})

    def _prepared(self, settings: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
        prepare(self._sandbox, STACK, SECRETS, {**WITHOUT_WEBHOOKS, "charts": {"directory": self._charts}, **settings})
        return os.environ | environment(self._sandbox, STACK)

    def _pulumi(self, name: str, runs: int, *arguments: str, folder: Path = CHECKOUT) -> None:
        program = str(shutil.which("pulumi", path=self._environment["PATH"]))
        command = [program, *arguments, "--non-interactive"]
        self.figures.append(measure(name, runs, command, self._environment, folder))

    def floor(self) -> None:
        """Measure a program that registers nothing, in the same Python."""
        with tempfile.TemporaryDirectory(dir=self._sandbox.temporary) as name:
            folder = Path(name)
            (folder / "__main__.py").write_text("")
            (folder / ".venv").symlink_to(CHECKOUT / ".venv")
            project = {"name": "floor", "runtime": {"name": "python", "options": {"virtualenv": ".venv"}}}
            (folder / "Pulumi.yaml").write_text(yaml.safe_dump(project))
            variables = {key: value for key, value in self._environment.items() if key != "PULUMI_OPTION_CONFIG_FILE"}
            variables["PULUMI_STACK"] = "floor"
            program = str(shutil.which("pulumi", path=variables["PATH"]))
            subprocess.run(
                [program, "stack", "init", "floor"], cwd=folder, env=variables, check=True, capture_output=True
            )
            command = [program, "preview", "--non-interactive"]
            self.figures.append(measure("floor: preview of an empty program", self._runs, command, variables, folder))

    def ours(self) -> None:
        """Measure this program: from nothing, without a change, with one."""
        self._pulumi("up from nothing", 1, "up", "--yes", "--skip-preview")
        self._pulumi("preview without a change", self._runs, "preview")
        self._pulumi("up without a change", self._runs, "up", "--yes", "--skip-preview")
        self._prepared(RULE)
        self._pulumi("preview of another threshold", self._runs, "preview", "--diff")
        self._pulumi("up of another threshold", 1, "up", "--yes", "--skip-preview")
        self._prepared({})

    def helm(self) -> None:
        """Measure Helm alone: an upgrade of each Release, dry, by the API server, one after another."""
        helm = str(HELM.path)
        listed = subprocess.run(
            [helm, "list", "--all-namespaces", "-o", "json"], env=self._environment, capture_output=True, check=True
        ).stdout
        charts = CHECKOUT / self._charts
        with tempfile.TemporaryDirectory(dir=self._sandbox.temporary) as folder:
            lines = ["set -e"]
            for release in json.loads(listed):
                name, namespace = release["name"], release["namespace"]
                values = subprocess.run(
                    [helm, "get", "values", name, "-n", namespace, "-o", "yaml"],
                    env=self._environment, capture_output=True, check=True,
                ).stdout  # fmt: skip
                file = Path(folder) / f"{name}.yaml"
                file.write_bytes(values)
                (archive,) = charts.glob(f"{release['chart'].partition('+')[0]}*.tgz")
                lines.append(f"{helm} upgrade {name} {archive} -n {namespace} -f {file} --dry-run=server >/dev/null")
            command = ["bash", "-c", "\n".join(lines)]
            name = f"Helm's dry runs of the {len(lines) - 1} Releases, in turn"
            self.figures.append(measure(name, self._runs, command, self._environment, Path(folder)))

    def growth(self) -> None:
        """Measure the program with ten times its jobs, rules and dashboards."""
        with tempfile.TemporaryDirectory(dir=self._sandbox.temporary) as name:
            folder = Path(name)
            grown.write(folder)
            # The stack names the charts by a path from the project.
            top = Path(self._charts).parts[0]
            (folder / top).symlink_to(CHECKOUT / top)
            what = f"{grown.TIMES} x jobs, rules, dashboards"
            self._pulumi(f"up to {what}", 1, "up", "--yes", "--skip-preview", folder=folder)
            self._pulumi(f"preview without a change, {what}", self._runs, "preview", folder=folder)
            self._pulumi("up back again", 1, "up", "--yes", "--skip-preview")

    def nodes(self) -> None:
        """Measure a cluster of many nodes, each with its two pods of ours."""
        core = api.CoreV1Api(kubeconfig.new_client_from_config(str(self._sandbox.kubeconfig)))  # type: ignore[no-untyped-call]
        manifest = (CHECKOUT / "sandbox" / "manifests" / "nodes.yaml").read_text()
        for number in range(NODES):
            node: Any = next(yaml.safe_load_all(manifest))
            node["metadata"]["name"] = node["metadata"]["labels"]["kubernetes.io/hostname"] = f"many-{number:03}"
            core.create_node(node)
        wait_for(lambda: len(core.list_namespaced_pod("monitoring-agents").items) >= 2 * NODES, 300)
        self._pulumi(f"preview without a change, {NODES} nodes more", self._runs, "preview")

    def end(self) -> None:
        """Measure the removal."""
        self._pulumi("destroy", 1, "destroy", "--yes", "--skip-preview")


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until something holds.

    Raises:
        SandboxError: it does not in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SandboxError(f"it did not come to that in {seconds:.0f} s")
        time.sleep(2)


def main() -> int:
    """Measure everything. Returns 0, or 1 where something failed."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="of what is measured more than once (default: 5)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    sandbox = Sandbox(CHECKOUT / ".sandbox-bench", ports_from(max(Sandbox().ports) + 11))
    try:
        bench = Bench(sandbox, arguments.runs)
        for step in (bench.floor, bench.ours, bench.helm, bench.growth, bench.nodes, bench.end):
            step()
    except SandboxError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        clusters.remove(sandbox)
    figures = [asdict(figure) for figure in bench.figures]
    print(json.dumps(figures, indent=2) if arguments.json else "\n".join(line(figure) for figure in bench.figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
