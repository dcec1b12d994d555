"""The API server of a sandbox, whichever its cluster is: how it is reached, and whether it is ready."""

import base64
from pathlib import Path

import yaml

from sandbox.layout import CONTEXT, Sandbox
from sandbox.processes import SandboxError, run
from sandbox.program_pins import KUBECTL


def write_kubeconfig(folder: Path, client: str, server: str, target: Path) -> None:
    """Write a kubeconfig that holds the certificates themselves and names the context as the stacks do.

    Args:
        folder: with ca.crt, and <client>.crt and .key.
        client: whose certificate it is.
        server: https://host:port.
        target: the file, readable by its owner only.
    """

    def encoded(file: str) -> str:
        return base64.b64encode((folder / file).read_bytes()).decode()

    cluster = {"server": server, "certificate-authority-data": encoded("ca.crt")}
    user = {"client-certificate-data": encoded(f"{client}.crt"), "client-key-data": encoded(f"{client}.key")}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT}}],
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": CONTEXT, "user": user}],
    }
    target.touch(mode=0o600)
    target.write_text(yaml.safe_dump(document, sort_keys=False))


def kubectl(sandbox: Sandbox, kubeconfig: Path, *arguments: str) -> str:
    """Run kubectl against the sandbox and return its output. Raises SandboxError if it fails."""
    own = [f"--kubeconfig={kubeconfig}", f"--cache-dir={sandbox.kubectl_cache}"]
    return run([str(KUBECTL.path), *own, *arguments])


def is_ready(sandbox: Sandbox, kubeconfig: Path) -> bool:
    """Return whether the API server says that it is ready."""
    try:
        return kubectl(sandbox, kubeconfig, "get", "--raw", "/readyz", "--request-timeout=5s") == "ok"
    except SandboxError:
        return False
