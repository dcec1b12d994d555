"""Pulumi's command line about one stack, and the stack's state."""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any


class EngineError(Exception):
    """Pulumi is not there, or fails; the message says at what, and why."""


class Pulumi:
    """The command line of one stack.

    Args:
        stack: its name.
        environment: names the backend, the passphrase, the kubeconfig.
        root: the project's folder.
    """

    def __init__(self, stack: str, environment: dict[str, str], root: Path) -> None:
        self.stack, self.environment, self.root = stack, environment, root

    def __call__(self, *arguments: str) -> str:
        """Return what `pulumi` prints about the stack."""
        return self.of_backend(*arguments, "--stack", self.stack)

    def of_backend(self, *arguments: str) -> str:
        """Return what `pulumi` prints about no stack.

        Raises:
            EngineError: there is no pulumi, or it fails.
        """
        program = self.environment.get("PATH", os.defpath)
        try:
            done = subprocess.run(
                ["pulumi", *arguments, "--non-interactive"],
                cwd=self.root,
                env={**self.environment, "PATH": program},
                capture_output=True,
                text=True,
                check=False,
            )
        except FileNotFoundError:
            raise EngineError("there is no pulumi on the PATH: see the README") from None
        if done.returncode != 0:
            raise EngineError(f"`pulumi {' '.join(arguments)}` failed: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def state(self, *, secrets: bool = False) -> dict[str, Any]:
        """Return the stack's state; secrets in it stay encrypted, unless they are asked for."""
        return dict(json.loads(self("stack", "export", *(["--show-secrets"] if secrets else []))))

    def write(self, state: dict[str, Any]) -> None:
        """Write the stack's state."""
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(state, file)
            file.flush()
            self("stack", "import", "--file", file.name)
