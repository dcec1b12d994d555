"""The whole program under Pulumi's mocks, with secrets that can be searched for."""

import json
from pathlib import Path
from typing import Any

import yaml

from components.settings import PROJECT, secrets
from operations import offline_run
from operations.offline_run import Registered, Run

__all__ = ["ROOT", "STACKS", "Registered", "Run", "canary", "configuration", "run"]

ROOT = Path(__file__).parent.parent
STACKS = ["local", "kind", "staging", "prod"]


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

    Args:
        stack: whose file is read.
        charts: an empty directory, for names of chart archives.
        overrides: top-level keys of the settings to replace.
    """
    return offline_run.run(ROOT, stack, configuration(stack, overrides), charts)


def before(resource: Registered, stack: Run) -> set[str]:
    """Return everything that is made before a resource: a child comes after its parent, which waits for its own."""
    by_urn = {one.urn: one for one in stack.resources}
    reached: set[str] = set()
    waiting = [resource.parent, *resource.dependencies]
    while waiting:
        if (urn := waiting.pop()) in by_urn and urn not in reached:
            reached.add(urn)
            waiting += [by_urn[urn].parent, *by_urn[urn].dependencies]
    return reached
