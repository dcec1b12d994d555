"""The containers that make backups, and how one is told to do something."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from kubernetes import client as api
from kubernetes import config as kubeconfig
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException
from kubernetes.stream import stream
from kubernetes.stream.ws_client import ERROR_CHANNEL
from urllib3.exceptions import HTTPError

from components.foundation.names import BACKUP, MONITORING

# Which pods save a part, by their label app.kubernetes.io/name.
PARTS: Mapping[str, str] = {
    "prometheus": "prometheus",
    "grafana": "grafana",
    "alertmanager": BACKUP,
    "mangakai-logs": BACKUP,
    "mangakai-traces": BACKUP,
}


class BackupsError(Exception):
    """The cluster cannot be asked, or nothing there makes backups; the message says what to do."""


@dataclass(frozen=True)
class Said:
    """The result of a command in a pod: its exit status, its output, its errors."""

    status: int
    output: str
    errors: str

    @property
    def problem(self) -> str:
        """Return what went wrong, in the program's words."""
        return self.errors.strip().removeprefix("error: ") or "it said nothing"


class Pods:
    """The pods of a cluster that make backups, by the context of the kubeconfig."""

    def __init__(self, context: str) -> None:
        try:
            client = kubeconfig.new_client_from_config(context=context, persist_config=False)  # type: ignore[no-untyped-call]
        except ConfigException as error:
            raise BackupsError(f"context {context!r} does not work: {error}: log in to the cluster again") from error
        self._core = api.CoreV1Api(client)

    def of(self, part: str) -> list[str]:
        """Return the names of the running pods that save a part.

        Raises:
            BackupsError: there is none, or the cluster cannot be asked.
        """
        with _in_words():
            selector = f"app.kubernetes.io/name={PARTS[part]}"
            found: list[Any] = self._core.list_namespaced_pod(MONITORING, label_selector=selector).items
        pods = [pod for pod in found if any(each.name == BACKUP for each in pod.spec.containers)]
        running = [str(pod.metadata.name) for pod in pods if pod.status.phase == "Running"]
        if not pods:
            raise BackupsError(f"nothing makes backups of {part}: they need the settings aws, and pulumi up")
        if not running:
            raise BackupsError(f"no pod that saves {part} runs: kubectl -n {MONITORING} get pods")
        return running

    def everything(self) -> list[Any]:
        """Return all pods of the namespace."""
        with _in_words():
            pods: list[Any] = self._core.list_namespaced_pod(MONITORING).items
        return pods

    def tell(self, pod: str, *arguments: str, seconds: float, watch: Callable[[str], None], line: str = "") -> Said:
        """Run the program in the container `backup` of a pod, and return what it said.

        Args:
            pod: its name.
            arguments: of the program.
            seconds: how long it may take.
            watch: is called with the text as it comes, and with "" each second.
            line: what it reads.

        Raises:
            BackupsError: it cannot be run, or takes longer.
        """
        command = ["python", "-m", "backup", *arguments]
        output, errors = "", ""
        with _in_words():
            connect = self._core.connect_get_namespaced_pod_exec
            channel: Any = stream(
                connect, pod, MONITORING, container=BACKUP, command=command, stdin=bool(line), stdout=True, stderr=True,
                _preload_content=False,
            )  # fmt: skip
            if line:
                channel.write_stdin(f"{line}\n")
            deadline = time.monotonic() + seconds
            while channel.is_open():
                channel.update(timeout=1)
                if time.monotonic() > deadline:
                    channel.close()
                    raise BackupsError(f"{pod}: {' '.join(arguments[:2])}: not done after {seconds:.0f} s")
                said = channel.read_stdout() if channel.peek_stdout() else ""
                output, errors = output + said, errors + (channel.read_stderr() if channel.peek_stderr() else "")
                watch(said)
            # Without a status, the connection or the container ended first.
            if not (ended := channel.read_channel(ERROR_CHANNEL)):
                raise BackupsError(f"{pod}: the connection ended before {' '.join(arguments[:2])} was done")
            return Said(_status(ended), output, errors)


def _status(ended: str) -> int:
    """Return the exit status of a command, from the Kubernetes status that ends the connection (YAML or JSON)."""
    status: dict[str, Any] = yaml.safe_load(ended)
    if status["status"] == "Success":
        return 0
    causes = (status.get("details") or {}).get("causes") or []
    codes = [int(cause["message"]) for cause in causes if cause.get("reason") == "ExitCode"]
    if not codes:
        raise BackupsError(str(status.get("message")))
    return codes[0]


@contextlib.contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except (ApiException, HTTPError, OSError) as error:
        reason = getattr(error, "reason", None) or str(error)
        raise BackupsError(f"the cluster cannot be asked: {reason}") from error
