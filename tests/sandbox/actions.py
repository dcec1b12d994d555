"""The workflows as GitHub runs them: by act, on this machine, with stand-ins for what a runner has and this has not."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sandbox.environment import environment
from sandbox.layout import CONTEXT, Sandbox
from sandbox.program_pins import ACT
from sandbox.stacks import PROJECT
from tests.github import PULL_REQUEST, REPOSITORY, TOKEN, GitHub

# What the actions of others do here: their inputs, and a script. What they install is there; nothing is cached.
_ACTIONS = {
    "actions/setup-python": (["python-version"], "true"),
    "actions/cache": (["path", "key"], "true"),
    "pulumi/actions": (["pulumi-version"], "true"),
    "aws-actions/configure-aws-credentials": (
        ["role-to-assume", "aws-region"],
        'echo "$GITHUB_JOB: $ROLE_TO_ASSUME" >> "$STAND_INS/roles"',
    ),
    "actions/upload-artifact": (
        ["name", "path", "retention-days"],
        'mkdir -p "$STAND_INS/artifacts/$NAME" && cp "$PATH_INPUT" "$STAND_INS/artifacts/$NAME"',
    ),
    "actions/download-artifact": (["pattern", "merge-multiple"], 'cp "$STAND_INS"/artifacts/$PATTERN/* .'),
}
# The network's: the archives of the charts, and `aws`, which leads to the cluster that is called so.
_CHARTS = "cp -R {charts} .charts"
_AWS = """#!/bin/sh
test "$1 $2 $3 $5" = "eks update-kubeconfig --name --alias" || exit 2
cp "$STAND_INS/kubeconfig-$4" "$RUNNER_TEMP/kubeconfig" &&
    sed -i "s/{context}/$6/" "$RUNNER_TEMP/kubeconfig" &&
    echo "KUBECONFIG=$RUNNER_TEMP/kubeconfig" >> "$GITHUB_ENV"
"""
# `make check` and `make test` would run this very test.
_TESTS = {
    "on": {"workflow_call": None},
    "jobs": {"tests": {"runs-on": "ubuntu-24.04", "steps": [{"run": "echo tested"}]}},
}


@dataclass(frozen=True)
class Run:
    """What a run said, and whether every job of it succeeded."""

    said: str
    succeeded: bool

    def of(self, job: str) -> str:
        """Return what the steps of a job printed."""
        return "\n".join(re.findall(rf"^\[[^/\]]+/{job}\s*\]   \| (.*)$", self.said, flags=re.MULTILINE))

    def jobs(self) -> list[str]:
        """Return the jobs, in the order in which they ended; those of a matrix have a number."""
        return re.findall(r"^\[[^\]]*/([^/\]]+?)\s*\] 🏁", self.said, flags=re.MULTILINE)


class Actions:
    """The workflows of a copy of the project, each of whose stacks has a cluster of its own.

    Args:
        folder: of the copy.
        stand_ins: a folder for what stands in for the rest of the world.
        clusters: of each stack; their states are one.
        charts: the directory of the archives.
        github: what answers as its API.
    """

    def __init__(
        self, folder: Path, stand_ins: Path, clusters: Mapping[str, Sandbox], charts: Path, github: GitHub
    ) -> None:
        self.folder, self._stand_ins, self._github = folder, stand_ins, github
        self._clusters = clusters
        action = folder / ".github" / "actions" / "stack" / "action.yml"
        text = action.read_text()
        assert text.count("run: make charts\n") == 1
        action.write_text(
            text.replace("run: make charts\n", f"run: {_CHARTS.format(charts=shlex.quote(str(charts)))}\n")
        )
        (folder / ".github" / "workflows" / "test.yml").write_text(yaml.safe_dump(_TESTS))
        programs = stand_ins / "bin"
        programs.mkdir(parents=True)
        (programs / "aws").write_text(_AWS.format(context=CONTEXT))
        (programs / "aws").chmod(0o755)
        (programs / "python3").symlink_to(sys.executable)
        for name, (inputs, script) in _ACTIONS.items():
            self._write_action(name, inputs, script)
        for stack, sandbox in clusters.items():
            shutil.copy(sandbox.kubeconfig, stand_ins / f"kubeconfig-mangakai-{stack}")
        self.configure()
        self._repository()

    def configure(self, **settings: Mapping[str, object]) -> None:
        """Write the stacks' configuration as their owner has committed it, with other settings laid over it."""
        for stack, sandbox in self._clusters.items():
            document = yaml.safe_load(sandbox.stack_file(stack).read_text())
            config = document["config"]
            # Its context is called like the cluster, as `aws` does.
            for key, values in {"cluster": {"context": f"mangakai-{stack}"}, **settings}.items():
                config[f"{PROJECT}:{key}"] = {**config.get(f"{PROJECT}:{key}", {}), **values}
            (self.folder / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump(document))

    def roles(self) -> list[str]:
        """Return which job took which role of AWS, in their order, and forget them."""
        file = self._stand_ins / "roles"
        taken = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return taken

    def run(self, event: str, owner: str = REPOSITORY.partition("/")[0], timeout: float = 400) -> Run:
        """Run the workflows of an event, with all of their jobs.

        Args:
            event: push to main, pull_request, or schedule.
            owner: of the repository that a pull request's branch lies in.
            timeout: in seconds.
        """
        shutil.rmtree(self._stand_ins / "artifacts", ignore_errors=True)
        file = self._stand_ins / "event.json"
        head = {"ref": "a-change", "repo": {"full_name": f"{owner}/{REPOSITORY.partition('/')[2]}"}}
        pull_request = {"number": PULL_REQUEST, "pull_request": {"number": PULL_REQUEST, "head": head}}
        file.write_text(json.dumps(pull_request if event == "pull_request" else {"ref": "refs/heads/main"}))
        variables = self._variables()
        options: dict[str, list[str]] = {
            "--env": [f"{key}={value}" for key, value in variables.items()],
            "--var": [
                f"PULUMI_BACKEND_URL=file://{next(iter(self._clusters.values())).state}",
                "AWS_PREVIEW_ROLE_ARN=the-role-that-reads",
                "AWS_DEPLOY_ROLE_ARN=the-role-that-writes",
            ],
            "--secret": [f"PULUMI_CONFIG_PASSPHRASE={self._of_sandbox()['PULUMI_CONFIG_PASSPHRASE']}"],
            "--local-repository": [f"{use}={self._stand_ins / use.partition('@')[0]}" for use in self._uses()],
        }
        command = [
            str(ACT.path), event, "--eventpath", str(file), "--secret", f"GITHUB_TOKEN={TOKEN}",
            "--platform", "ubuntu-24.04=-self-hosted", "--action-cache-path", str(self._stand_ins / "runners"),
            "--no-cache-server", "--use-gitignore=false",
            *(part for option, values in options.items() for value in values for part in (option, value)),
        ]  # fmt: skip
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={"PATH": variables["PATH"], "HOME": str(self._stand_ins)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        print(done.stdout[-12_000:])
        return Run(done.stdout, done.returncode == 0)

    def _variables(self) -> dict[str, str]:
        """Return what a runner has in its environment: nothing that a workflow sets itself."""
        of_workflows = {"PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_STACK", "PULUMI_OPTION_CONFIG_FILE"}
        variables = {
            key: value for key, value in self._of_sandbox().items() if key not in {*of_workflows, "KUBECONFIG"}
        }
        return variables | {
            "PATH": f"{self._stand_ins / 'bin'}{os.pathsep}{variables['PATH']}",
            "STAND_INS": str(self._stand_ins),
            "GITHUB_API_URL": self._github.address,
        }

    def _of_sandbox(self) -> dict[str, str]:
        stack, sandbox = next(iter(self._clusters.items()))
        return environment(sandbox, stack)

    def _uses(self) -> set[str]:
        """Return the actions of others that the workflows use, with their commits."""
        files = (self.folder / ".github").rglob("*.yml")
        return {use for file in files for use in re.findall(r"uses: ([\w-]+/[\w-]+@\w+)", file.read_text())}

    def _write_action(self, name: str, inputs: list[str], script: str) -> None:
        def variable(key: str) -> str:
            return "PATH_INPUT" if key == "path" else key.upper().replace("-", "_")

        step: dict[str, Any] = {"run": script, "shell": "bash"}
        step["env"] = {variable(key): f"${{{{ inputs.{key} }}}}" for key in inputs}
        action = {
            "name": name,
            "description": "Stands in for it",
            "inputs": {key: {"description": key, "required": False} for key in inputs},
            "runs": {"using": "composite", "steps": [step]},
        }
        (self._stand_ins / name).mkdir(parents=True)
        (self._stand_ins / name / "action.yml").write_text(yaml.safe_dump(action, sort_keys=False))

    def _repository(self) -> None:
        """Make the copy a repository, from which act knows its name, the branch and the commit."""
        person = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        for arguments in (
            ["init", "--quiet", "--initial-branch", "main"],
            ["remote", "add", "origin", f"https://github.com/{REPOSITORY}.git"],
            [*person, "commit", "--quiet", "--allow-empty", "--message", "A copy"],
        ):
            subprocess.run(["git", *arguments], cwd=self.folder, check=True)
