"""The workflows as GitHub runs them: by act, on this machine, with stand-ins for what a runner has and this has not."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from operations.download_charts import LOCK
from sandbox.program_pins import ACT
from tests.github import PULL_REQUEST, REPOSITORY, TOKEN, GitHub
from tests.offline import ROOT

# What the actions of others do here: their inputs, and a script. What they install is there. act itself brings a
# checkout, but only that of the run's own commit; of what is cached only the archives of the charts are there.
_ACTIONS = {
    "actions/checkout": (["ref"], 'git -C "$PROJECT" archive "$REF" | tar --extract'),
    "actions/setup-python": (["python-version"], "true"),
    "actions/cache": (["path", "key"], 'test "$PATH_INPUT" != .charts || cp -R "$STAND_INS/charts" .charts'),
    "pulumi/actions": (["pulumi-version"], "true"),
    "aws-actions/configure-aws-credentials": (
        ["role-to-assume", "aws-region"],
        'echo "$GITHUB_JOB: $ROLE_TO_ASSUME" >> "$STAND_INS/roles"',
    ),
    "actions/upload-artifact": (
        ["name", "path", "retention-days"],
        'mkdir -p "$STAND_INS/artifacts/$NAME" && cp "$PATH_INPUT" "$STAND_INS/artifacts/$NAME"',
    ),
    "actions/download-artifact": (
        ["pattern", "path", "merge-multiple"],
        'mkdir -p "$PATH_INPUT" && cp "$STAND_INS"/artifacts/$PATTERN/* "$PATH_INPUT"',
    ),
}
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
    """The workflows of a copy of the project, which is a repository whose main is the copy as it is committed here.

    Args:
        folder: of the copy.
        stand_ins: a folder for what stands in for the rest of the world.
        charts: the directory of the archives, whose digests the copy's lock file gets.
        github: what answers as its API.
        environment: what a runner has in its environment, beside what a workflow sets itself.
        backend: the value of the variable PULUMI_BACKEND_URL.
        passphrase: the secret PULUMI_CONFIG_PASSPHRASE.
    """

    def __init__(
        self,
        folder: Path,
        stand_ins: Path,
        charts: Path,
        github: GitHub,
        environment: Mapping[str, str],
        backend: str,
        passphrase: str,
    ) -> None:
        self.folder, self.stand_ins, self._github = folder, stand_ins, github
        self._environment, self._backend, self._passphrase = environment, backend, passphrase
        (folder / ".github" / "workflows" / "test.yml").write_text(yaml.safe_dump(_TESTS))
        digests = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in charts.glob("*.tgz")}
        (folder / LOCK.relative_to(ROOT)).write_text(json.dumps(digests))
        programs = stand_ins / "bin"
        programs.mkdir(parents=True)
        (programs / "python3").symlink_to(sys.executable)
        (stand_ins / "charts").symlink_to(charts)
        for name, (inputs, script) in _ACTIONS.items():
            self._write_action(name, inputs, script)

    def commit(self) -> None:
        """Make the copy a repository, from which act knows its name, the branch and the commit."""
        person = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]
        for arguments in (
            ["init", "--quiet", "--initial-branch", "main"],
            ["remote", "add", "origin", f"https://github.com/{REPOSITORY}.git"],
            ["add", "--all", "--", ".", ":!.venv"],
            [*person, "commit", "--quiet", "--message", "A copy"],
            ["update-ref", "refs/remotes/origin/main", "HEAD"],
        ):
            self.git(*arguments)

    def roles(self) -> list[str]:
        """Return which job took which role of AWS, in their order, and forget them."""
        file = self.stand_ins / "roles"
        taken = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return taken

    def run(self, event: str, owner: str = REPOSITORY.partition("/")[0], timeout: float = 400) -> Run:
        """Run the workflows of an event, with all of their jobs, on the copy as it is now.

        Args:
            event: push to main, pull_request, or schedule.
            owner: of the repository that a pull request's branch lies in.
            timeout: in seconds.
        """
        shutil.rmtree(self.stand_ins / "artifacts", ignore_errors=True)
        file = self.stand_ins / "event.json"
        head = {"ref": "a-change", "repo": {"full_name": f"{owner}/{REPOSITORY.partition('/')[2]}"}}
        base = {"ref": "main", "sha": self.git("rev-parse", "HEAD").strip()}
        pull_request = {"number": PULL_REQUEST, "pull_request": {"number": PULL_REQUEST, "head": head, "base": base}}
        file.write_text(json.dumps(pull_request if event == "pull_request" else {"ref": "refs/heads/main"}))
        variables = self._variables()
        options: dict[str, list[str]] = {
            "--env": [f"{key}={value}" for key, value in variables.items()],
            "--var": [
                f"PULUMI_BACKEND_URL={self._backend}",
                "AWS_PREVIEW_ROLE_ARN=the-role-that-reads",
                "AWS_DEPLOY_ROLE_ARN=the-role-that-writes",
            ],
            "--secret": [f"PULUMI_CONFIG_PASSPHRASE={self._passphrase}", f"GITHUB_TOKEN={TOKEN}"],
            "--local-repository": [f"{use}={self.stand_ins / use.partition('@')[0]}" for use in self._uses()],
        }
        command = [
            str(ACT.path), event, "--eventpath", str(file),
            "--platform", "ubuntu-24.04=-self-hosted", "--action-cache-path", str(self.stand_ins / "runners"),
            "--no-cache-server", "--use-gitignore=false",
            *(part for option, values in options.items() for value in values for part in (option, value)),
        ]  # fmt: skip
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={"PATH": variables["PATH"], "HOME": str(self.stand_ins)},
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
        return {
            **self._environment,
            "PATH": f"{self.stand_ins / 'bin'}{os.pathsep}{self._environment['PATH']}",
            "PROJECT": str(self.folder),
            "STAND_INS": str(self.stand_ins),
            "GITHUB_API_URL": self._github.address,
        }

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
        (self.stand_ins / name).mkdir(parents=True)
        (self.stand_ins / name / "action.yml").write_text(yaml.safe_dump(action, sort_keys=False))

    def git(self, *arguments: str) -> str:
        """Run git in the copy, and return what it prints."""
        return subprocess.run(["git", *arguments], cwd=self.folder, capture_output=True, text=True, check=True).stdout
