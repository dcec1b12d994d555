"""The operators of Elastic and Jaeger, run as processes beside the cluster, for no container runs in it.

`python -m sandbox.operators DIRECTORY FIRST_PORT` supervises them for as long as the sandbox lives. As a kubelet does,
it starts what the pod of each says, with the rights of the pod's ServiceAccount, starts it again when it fails, and
ends it with the pod.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from kubernetes import client, config
from urllib3.exceptions import HTTPError

from sandbox.layout import CHECKOUT, Sandbox, ports_from
from sandbox.pod_process import prepare
from sandbox.processes import OPERATORS, running
from sandbox.program_pins import ECK_OPERATOR, JAEGER_OPERATOR

NAMESPACE = "monitoring"
POLL_SECONDS = 0.5
REQUEST_SECONDS = 5
LONGEST_PAUSE_SECONDS = 30.0
# An operator that ran for as long is taken to have worked: its next failure counts as the first.
HEALTHY_SECONDS = 60.0

Pod = dict[str, Any]


@dataclass(frozen=True)
class Operator:
    """A program, the label `app.kubernetes.io/name` of its pod, and the arguments that differ from the pod's."""

    name: str
    label: str
    arguments: list[str]


@dataclass
class Supervised:
    """An operator and its process: `spawn` starts that of a pod, `clock` gives the time in seconds."""

    spawn: Callable[[Pod], "subprocess.Popen[bytes]"]
    clock: Callable[[], float] = time.monotonic
    process: "subprocess.Popen[bytes] | None" = None
    uid: str = ""
    failures: int = 0
    started: float = 0.0
    not_before: float = 0.0

    def keep(self, pod: Pod | None) -> None:
        """Start, restart or end the process, whichever the pod asks for; without one there is none."""
        uid = pod["metadata"]["uid"] if pod else ""
        if uid != self.uid:
            self.end()
            self.uid, self.failures, self.not_before = uid, 0, 0.0
        now = self.clock()
        if self.process is not None and self.process.poll() is not None:
            self.failures = 1 if now - self.started > HEALTHY_SECONDS else self.failures + 1
            self._pause(now)
            self.process = None
        if pod and self.process is None and now >= self.not_before:
            try:
                self.process, self.started = self.spawn(pod), now
            except (OSError, ValueError) as error:  # the pod has what a process cannot have, or a file is missing
                self.failures += 1
                self._pause(now)
                print(f"{time.strftime('%H:%M:%S')} {pod['metadata']['name']} cannot be started: {error}", flush=True)

    def _pause(self, now: float) -> None:
        self.not_before = now + min(2.0 ** (self.failures - 1), LONGEST_PAUSE_SECONDS)

    def end(self) -> None:
        """End the process, if there is one, and wait for it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def operators(sandbox: Sandbox) -> tuple[Operator, Operator]:
    """Return both operators; what differs from their pods is where they listen, and how Elastic's reaches a pod."""
    ports = sandbox.ports
    eck = Operator(
        ECK_OPERATOR.name,
        "elastic-operator",
        [
            "--metrics-port=0",
            # It asks each Elasticsearch for its health at <service>.<namespace>.svc, which is nowhere. As a developer
            # of ECK does, it then goes through the API server to kwok, on this machine, and gets no answer there: for
            # that alone it has a right more than its pod, see manifests/port-forward.yaml.
            "--development",
            "--auto-port-forward",
            f"--debug-http-listen=127.0.0.1:{ports.eck_debug}",
            "--elasticsearch-client-timeout=5s",
            # Warnings and errors: the rest is a line for each look at an Elasticsearch that does not answer.
            "--log-verbosity=-1",
        ],
    )
    jaeger = Operator(
        JAEGER_OPERATOR.name,
        "jaeger-operator",
        [
            "--metrics-host=127.0.0.1",
            f"--metrics-port={ports.jaeger_metrics}",
            f"--health-probe-bind-address=127.0.0.1:{ports.jaeger_health}",
            f"--webhook-bind-port={ports.jaeger_webhook}",
        ],
    )
    return eck, jaeger


def start(sandbox: Sandbox) -> bool:
    """Start the supervisor unless it runs, and return whether there was anything to do."""
    if OPERATORS in running(sandbox):
        return False
    for folder in (sandbox.logs, sandbox.temporary):
        folder.mkdir(parents=True, exist_ok=True)
    with (sandbox.logs / "operators.log").open("ab") as log:
        subprocess.Popen(
            [sys.executable, "-m", "sandbox.operators", str(sandbox.directory), str(sandbox.ports[0])],
            cwd=CHECKOUT,
            env=os.environ | {"TMPDIR": str(sandbox.temporary)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    return True


def supervise(sandbox: Sandbox) -> None:
    """Keep the operators running until SIGTERM comes or the sandbox is removed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    api = config.new_client_from_config(str(sandbox.kubeconfig))  # type: ignore[no-untyped-call]
    supervised = {}
    for operator in operators(sandbox):
        for orphan in running(sandbox).get(operator.name, []):
            os.kill(orphan, signal.SIGKILL)
        supervised[operator.label] = Supervised(partial(_spawn, api, sandbox, operator))
    try:
        while sandbox.kubeconfig.exists():
            for label, one in supervised.items():
                try:
                    one.keep(_pod(api, label))
                except (client.ApiException, HTTPError) as error:
                    print(f"{time.strftime('%H:%M:%S')} the API server: {error}", flush=True)
            time.sleep(POLL_SECONDS)
    finally:
        for one in supervised.values():
            one.end()


def _pod(api: client.ApiClient, label: str) -> Pod | None:
    """Return the pod of an operator that would run, the newest where an update has two."""
    found = client.CoreV1Api(api).list_namespaced_pod(
        NAMESPACE, label_selector=f"app.kubernetes.io/name={label}", _request_timeout=REQUEST_SECONDS
    )
    pods: list[Pod] = api.sanitize_for_serialization(found.items)  # type: ignore[no-untyped-call]
    alive = [
        pod for pod in pods if pod["status"]["phase"] == "Running" and not pod["metadata"].get("deletionTimestamp")
    ]
    return max(alive, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), default=None)


def _spawn(api: client.ApiClient, sandbox: Sandbox, operator: Operator, pod: Pod) -> "subprocess.Popen[bytes]":
    """Start the program of a pod; what it says goes to a log of its own."""
    print(f"{time.strftime('%H:%M:%S')} starting {operator.name} of pod {pod['metadata']['name']}", flush=True)
    folder = sandbox.temporary / operator.name
    shutil.rmtree(folder, ignore_errors=True)
    process = prepare(api, sandbox, pod, folder)
    with (sandbox.logs / f"{operator.name}.log").open("ab") as log:
        return subprocess.Popen(
            [str(sandbox.servers / operator.name), *process.arguments, *operator.arguments],
            env=process.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


if __name__ == "__main__":
    supervise(Sandbox(Path(sys.argv[1]), ports_from(int(sys.argv[2]))))
