"""The operators of Elastic and Jaeger, run as processes beside the cluster, for no container runs in it.

`python -m sandbox.operators DIRECTORY FIRST_PORT` supervises them for as long as the sandbox lives: it starts each one
when the kinds that it reconciles are there, starts it again when it fails, and ends it when the kinds are gone.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kubernetes import client, config
from urllib3.exceptions import HTTPError

from sandbox.layout import CHECKOUT, Sandbox, ports_from
from sandbox.processes import OPERATORS, running
from sandbox.programs import ECK_OPERATOR, JAEGER_OPERATOR

NAMESPACE = "monitoring"
POLL_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
# An operator that ran for as long is taken to have worked: its next failure counts as the first.
HEALTHY_SECONDS = 60.0
# Every kind that ECK watches; it gives up if one is missing.
ECK_GROUPS = frozenset(
    f"{name}.k8s.elastic.co"
    for name in (
        "agent",
        "apm",
        "autoops",
        "autoscaling",
        "beat",
        "elasticsearch",
        "enterprisesearch",
        "kibana",
        "logstash",
        "maps",
        "packageregistry",
        "stackconfigpolicy",
    )
)


@dataclass(frozen=True)
class Operator:
    """A program that reconciles the kinds of `groups`, with its arguments and the variables that it needs."""

    name: str
    groups: frozenset[str]
    arguments: list[str]
    variables: dict[str, str]


@dataclass
class Supervised:
    """An operator and its process: `spawn` starts one, `clock` gives the time in seconds."""

    operator: Operator
    spawn: Callable[[Operator], "subprocess.Popen[bytes]"]
    clock: Callable[[], float] = time.monotonic
    process: "subprocess.Popen[bytes] | None" = None
    failures: int = 0
    started: float = 0.0
    not_before: float = 0.0
    was_wanted: bool = False

    def keep(self, groups: set[str]) -> None:
        """Start, restart or end the process, whichever the API groups of the cluster ask for."""
        now = self.clock()
        if self.process is not None and self.process.poll() is not None:
            self.failures = 1 if now - self.started > HEALTHY_SECONDS else self.failures + 1
            self.not_before = now + min(2.0 ** (self.failures - 1), LONGEST_PAUSE_SECONDS)
            self.process = None
        wanted = self.operator.groups <= groups
        # A group is listed a moment before its kinds are served, and without them the operator would fail.
        if wanted and self.was_wanted and self.process is None and now >= self.not_before:
            self.process, self.started = self.spawn(self.operator), now
        self.was_wanted = wanted
        if not wanted:
            self.end()
            self.failures, self.not_before = 0, 0.0

    def end(self) -> None:
        """End the process, if there is one, and wait for it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def operators(sandbox: Sandbox) -> tuple[Operator, Operator]:
    """Return both operators as they run on `sandbox`: all namespaces, no webhooks, listening on 127.0.0.1."""
    ports = sandbox.ports
    eck = Operator(
        ECK_OPERATOR.name,
        ECK_GROUPS,
        [
            "manager",
            f"--operator-namespace={NAMESPACE}",
            "--enable-leader-election=false",
            "--enable-webhook=false",
            "--disable-telemetry",
            "--metrics-port=0",
            # It asks each Elasticsearch for its health at <service>.<namespace>.svc, which is nowhere. As a developer
            # of ECK does, it then goes through the API server to kwok, on this machine, and gets no answer there.
            "--development",
            "--auto-port-forward",
            f"--debug-http-listen=127.0.0.1:{ports.eck_debug}",
            "--elasticsearch-client-timeout=5s",
            # Warnings and errors: the rest is a line for each look at an Elasticsearch that does not answer.
            "--log-verbosity=-1",
        ],
        {},
    )
    jaeger = Operator(
        JAEGER_OPERATOR.name,
        frozenset({"jaegertracing.io"}),
        [
            "start",
            "--metrics-host=127.0.0.1",
            f"--metrics-port={ports.jaeger_metrics}",
            f"--health-probe-bind-address=127.0.0.1:{ports.jaeger_health}",
            f"--webhook-bind-port={ports.jaeger_webhook}",
        ],
        {
            "OPERATOR_NAME": JAEGER_OPERATOR.name,
            "POD_NAME": JAEGER_OPERATOR.name,
            "POD_NAMESPACE": NAMESPACE,
            "WATCH_NAMESPACE": "",
        },
    )
    return eck, jaeger


def start(sandbox: Sandbox) -> bool:
    """Start the supervisor unless it runs, and return whether there was anything to do."""
    if OPERATORS in running(sandbox):
        return False
    sandbox.logs.mkdir(parents=True, exist_ok=True)
    with (sandbox.logs / "operators.log").open("ab") as log:
        subprocess.Popen(
            [sys.executable, "-m", "sandbox.operators", str(sandbox.directory), str(sandbox.ports[0])],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    return True


def supervise(sandbox: Sandbox) -> None:
    """Keep the operators running until SIGTERM comes or the sandbox is removed."""
    for pids in (running(sandbox).get(operator.name, []) for operator in operators(sandbox)):
        for orphan in pids:
            os.kill(orphan, signal.SIGKILL)
    temporary = _temporary_folder(sandbox)

    def spawn(operator: Operator) -> "subprocess.Popen[bytes]":
        print(f"{time.strftime('%H:%M:%S')} starting {operator.name}", flush=True)
        variables = {"KUBECONFIG": str(sandbox.kubeconfig), "TMPDIR": str(temporary), **operator.variables}
        with (sandbox.logs / f"{operator.name}.log").open("ab") as log:
            return subprocess.Popen(
                [str(sandbox.servers / operator.name), *operator.arguments],
                env=os.environ | variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    supervised = [Supervised(operator, spawn) for operator in operators(sandbox)]
    api = config.new_client_from_config(str(sandbox.kubeconfig))  # type: ignore[no-untyped-call]
    try:
        while sandbox.kubeconfig.exists():
            groups = _groups(api)
            for one in supervised:
                if groups is not None:
                    one.keep(groups)
            time.sleep(POLL_SECONDS)
    finally:
        for one in supervised:
            one.end()


def _groups(api: client.ApiClient) -> set[str] | None:
    """Return the API groups of the cluster, none while the operators' namespace is missing, None if it is down."""
    try:
        names = {group.name for group in client.ApisApi(api).get_api_versions(_request_timeout=5).groups}
        client.CoreV1Api(api).read_namespace(NAMESPACE, _request_timeout=5)
    except client.ApiException as error:
        return set() if error.status == 404 else None
    except HTTPError:
        return None
    return names


def _temporary_folder(sandbox: Sandbox) -> Path:
    """Return a temporary folder in the sandbox, with the TLS pair without which Jaeger's operator does not start."""
    folder = sandbox.directory / "tmp"
    pair = folder / "k8s-webhook-server" / "serving-certs"
    pair.mkdir(parents=True, exist_ok=True)
    # No webhook is registered, so nobody looks at the names in it: the API server's own pair will do.
    shutil.copyfile(sandbox.cluster / "pki" / "admin.crt", pair / "tls.crt")
    shutil.copyfile(sandbox.cluster / "pki" / "admin.key", pair / "tls.key")
    return folder


if __name__ == "__main__":
    supervise(Sandbox(Path(sys.argv[1]), ports_from(int(sys.argv[2]))))
