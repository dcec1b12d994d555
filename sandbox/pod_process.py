"""A container of a simulated pod as a process on this machine: what a kubelet would give it, and nothing else.

It has the arguments, the environment and the files that the pod's spec names, and the token of its ServiceAccount: so
what the chart does not grant is refused here as on a real cluster.
"""

import base64
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes import client

from sandbox.layout import CONTEXT, Sandbox

TOKEN_SECONDS = 365 * 86400


@dataclass(frozen=True)
class PodProcess:
    """The arguments and the environment of a process that stands for a pod's only container."""

    arguments: list[str]
    environment: dict[str, str]


def prepare(api: client.ApiClient, sandbox: Sandbox, pod: dict[str, Any], folder: Path) -> PodProcess:
    """Write what a pod's container reads below `folder`, and return how it is started.

    Args:
        api: of the sandbox, as its admin.
        sandbox: whose API server the process talks to.
        pod: as the API server has it.
        folder: stands for the root of the container's file system.

    Raises:
        ValueError: the pod asks for something that cannot be given here.
    """
    core = client.CoreV1Api(api)
    namespace, spec = pod["metadata"]["namespace"], pod["spec"]
    (container,) = spec["containers"]
    mounts = _mount(core, namespace, spec, container, folder)
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    environment = {each["name"]: _value(pod, each) for each in container.get("env", [])}
    arguments = [_local(argument, mounts) for argument in container.get("args", [])]
    kubeconfig = _kubeconfig(core, sandbox, namespace, spec["serviceAccountName"], folder)
    own = {"PATH": os.defpath, "HOME": str(folder), "TMPDIR": str(folder / "tmp"), "KUBECONFIG": str(kubeconfig)}
    return PodProcess(arguments, {**environment, **own})


def _mount(
    core: client.CoreV1Api, namespace: str, spec: dict[str, Any], container: dict[str, Any], folder: Path
) -> dict[str, Path]:
    """Write the ConfigMaps and Secrets that the container mounts, and return where each mount path is."""
    volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
    mounts = {}
    for mount in container.get("volumeMounts", []):
        target = folder / mount["mountPath"].lstrip("/")
        target.mkdir(parents=True, exist_ok=True)
        mounts[mount["mountPath"]] = target
        for name, content in _files(core, namespace, volumes[mount["name"]]):
            file = target / name
            file.touch(mode=0o600)
            file.write_bytes(content)
    return mounts


def _files(core: client.CoreV1Api, namespace: str, volume: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    if "configMap" in volume:
        data = core.read_namespaced_config_map(volume["configMap"]["name"], namespace).data
        yield from ((name, text.encode()) for name, text in (data or {}).items())
    elif "secret" in volume:
        secret = core.read_namespaced_secret(volume["secret"]["secretName"], namespace).data
        yield from ((name, base64.b64decode(text)) for name, text in (secret or {}).items())
    elif "projected" not in volume:  # the ServiceAccount's token, which is in the kubeconfig
        raise ValueError(f"no volume like {volume} can be given to a process")


def _local(argument: str, mounts: dict[str, Path]) -> str:
    """Return an argument with the paths of mounts as they are on this machine."""
    for path, local in mounts.items():
        argument = argument.replace(f"={path}/", f"={local}/")
    return argument


def _value(pod: dict[str, Any], variable: dict[str, Any]) -> str:
    match variable:
        case {"value": str(text)}:
            return text
        case {"valueFrom": {"fieldRef": {"fieldPath": str(path)}}}:
            found: Any = pod
            for part in path.split("."):
                found = found[part]
            return str(found)
    if "valueFrom" in variable:
        raise ValueError(f"no variable like {variable} can be given to a process")
    return ""


def _kubeconfig(core: client.CoreV1Api, sandbox: Sandbox, namespace: str, account: str, folder: Path) -> Path:
    """Write the kubeconfig with the ServiceAccount's token."""
    request = client.AuthenticationV1TokenRequest(
        spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=TOKEN_SECONDS)
    )
    answer: Any = core.create_namespaced_service_account_token(account, namespace, request)
    authority = base64.b64encode((sandbox.cluster / "pki" / "ca.crt").read_bytes()).decode()
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": account, "namespace": namespace}}],
        "clusters": [{"name": CONTEXT, "cluster": {"server": sandbox.server, "certificate-authority-data": authority}}],
        "users": [{"name": account, "user": {"token": answer.status.token}}],
    }
    file = folder / "kubeconfig"
    file.touch(mode=0o600)
    file.write_text(json.dumps(document))
    return file
