"""A stack as it is on a sandbox: its committed configuration, the sandbox's cluster, throwaway secrets."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from sandbox.environment import environment
from sandbox.layout import CHECKOUT, CONTEXT, Sandbox
from sandbox.processes import SandboxError, run

PROJECT = "mangakai-monitoring"
# How the owner of a committed stack encrypts its secrets; on the sandbox they are encrypted by a passphrase.
ENCRYPTION = ("secretsprovider", "encryptedkey", "encryptionsalt")


def prepare(
    sandbox: Sandbox,
    stack: str,
    secrets: Mapping[str, str],
    settings: Mapping[str, Mapping[str, object]] | None = None,
    project: Path = CHECKOUT,
) -> dict[str, str]:
    """Make `stack` of `project` ready for `pulumi up` on `sandbox`, and return its secrets in plain text.

    `secrets` gives a value for each secret key (without the project's name) that the stack may lack: the first value
    that a key gets here stays for as long as the sandbox. `settings` are laid over the committed ones, key by key.
    Nothing is done if nothing changed since the last time. Raises SandboxError if there is no such stack.
    """
    committed = project / f"Pulumi.{stack}.yaml"
    if not committed.exists():
        known = ", ".join(sorted(file.stem.removeprefix("Pulumi.") for file in project.glob("Pulumi.*.yaml")))
        raise SandboxError(f"there is no stack {stack!r}: {committed} is missing; the stacks are {known}")
    given = settings or {}
    overlay = laid_over(given, {"cluster": {"context": CONTEXT, "server": sandbox.server}})
    sandbox.project.mkdir(parents=True, exist_ok=True)
    plain = _keep_secrets(sandbox.secrets_file(stack), secrets)
    document = on_sandbox(yaml.safe_load(committed.read_text()) or {}, overlay, plain)
    fingerprint = hashlib.sha256(
        json.dumps([document, plain]).encode() + (project / "Pulumi.yaml").read_bytes()
    ).hexdigest()
    stamp = sandbox.project / f"fingerprint.{stack}"
    state = sandbox.state / ".pulumi" / "stacks" / PROJECT / f"{stack}.json"
    if stamp.exists() and stamp.read_text() == fingerprint and sandbox.stack_file(stack).exists() and state.exists():
        return plain
    shutil.copyfile(project / "Pulumi.yaml", sandbox.project / "Pulumi.yaml")
    _write(sandbox, stack, document)
    if not state.exists():
        _pulumi(sandbox, stack, "stack", "init", stack, "--no-select")
    if plain:
        pairs = [part for key, value in plain.items() for part in ("--secret", f"{key}={value}")]
        _pulumi(sandbox, stack, "config", "set-all", *pairs)
    stamp.write_text(fingerprint)
    return plain


def on_sandbox(
    committed: Mapping[str, Any], overlay: Mapping[str, Mapping[str, object]], secrets: Mapping[str, str]
) -> dict[str, Any]:
    """Return the configuration of a stack with `overlay` laid over it and without secrets.

    What is encrypted in the committed file cannot be read here, and neither can the keys that `secrets` replaces.
    """
    config: dict[str, Any] = {}
    for key, value in (committed.get("config") or {}).items():
        is_encrypted = isinstance(value, dict) and set(value) == {"secure"}
        if not is_encrypted and key.removeprefix(f"{PROJECT}:") not in secrets:
            config[key] = value
    for key, values in overlay.items():
        name = f"{PROJECT}:{key}"
        config[name] = laid_over(config.get(name) or {}, values)
    return {**{key: value for key, value in committed.items() if key not in ENCRYPTION}, "config": config}


def laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping with another one laid over it: what both have is the other's, a mapping key by key."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(below.get(key), Mapping)
        merged[key] = laid_over(below[key], value) if both else value
    return merged


def _keep_secrets(file: Path, secrets: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets with the values that they had before, if any, and keep them readable by their owner only."""
    kept: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    plain = {key: kept.get(key, value) for key, value in secrets.items()}
    if plain != kept:
        file.touch(mode=0o600)
        file.write_text(json.dumps(plain, indent=2) + "\n")
    return plain


def _write(sandbox: Sandbox, stack: str, document: Mapping[str, Any]) -> None:
    """Write the stack's configuration, still encrypted with the salt that it had: Pulumi's state uses it too."""
    target = sandbox.stack_file(stack)
    before = yaml.safe_load(target.read_text()) if target.exists() else {}
    salt = {"encryptionsalt": before["encryptionsalt"]} if "encryptionsalt" in before else {}
    target.write_text(yaml.safe_dump({**document, **salt}, sort_keys=False))


def _pulumi(sandbox: Sandbox, stack: str, *arguments: str) -> None:
    """Run the CLI in the sandbox's copy of the project, so that it writes there and not into the checkout."""
    variables = os.environ | environment(sandbox, stack)
    pulumi = shutil.which("pulumi", path=variables["PATH"])
    if pulumi is None:
        raise SandboxError("there is no pulumi on the PATH; build the sandbox's programs first (make up)")
    run([pulumi, "-C", str(sandbox.project), "--non-interactive", *arguments], env=variables)
