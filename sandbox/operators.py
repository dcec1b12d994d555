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
from functools import partial
from http import HTTPStatus
from pathlib import Path

from kubernetes import client, config
from urllib3.exceptions import HTTPError

from sandbox.layout import CHECKOUT, Sandbox, ports_from
from sandbox.processes import OPERATORS, running
from sandbox.programs import ECK_OPERATOR, JAEGER_OPERATOR

NAMESPACE = "monitoring"
POLL_SECONDS = 0.5
REQUEST_SECONDS = 5
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

    def keep(self, groups: set[str]) -> None:
        """Start, restart or end the process, whichever the API groups that the cluster serves ask for."""
        now = self.clock()
        if self.process is not None and self.process.poll() is not None:
            self.failures = 1 if now - self.started > HEALTHY_SECONDS else self.failures + 1
            self.not_before = now + min(2.0 ** (self.failures - 1), LONGEST_PAUSE_SECONDS)
            self.process = None
        wanted = self.operator.groups <= groups
        if wanted and self.process is None and now >= self.not_before:
            self.process, self.started = self.spawn(self.operator), now
        elif not wanted:
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
    for operator in operators(sandbox):
        for orphan in running(sandbox).get(operator.name, []):
            os.kill(orphan, signal.SIGKILL)
    _copy_certificate(sandbox)
    supervised = [Supervised(operator, partial(_spawn, sandbox)) for operator in operators(sandbox)]
    needed = frozenset[str]().union(*(one.operator.groups for one in supervised))
    api = config.new_client_from_config(str(sandbox.kubeconfig))  # type: ignore[no-untyped-call]
    served: set[str] | None = set()
    try:
        while sandbox.kubeconfig.exists():
            served = _served_groups(api, needed, served or set())
            for one in supervised:
                if served is not None:
                    one.keep(served)
            time.sleep(POLL_SECONDS)
    finally:
        for one in supervised:
            one.end()


def _spawn(sandbox: Sandbox, operator: Operator) -> "subprocess.Popen[bytes]":
    """Start an operator; what it says goes to a log of its own."""
    print(f"{time.strftime('%H:%M:%S')} starting {operator.name}", flush=True)
    with (sandbox.logs / f"{operator.name}.log").open("ab") as log:
        return subprocess.Popen(
            [str(sandbox.servers / operator.name), *operator.arguments],
            env=os.environ | {"KUBECONFIG": str(sandbox.kubeconfig), **operator.variables},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def _served_groups(api: client.ApiClient, needed: frozenset[str], known: set[str]) -> set[str] | None:
    """Return those of the API groups whose kinds are served, none while the operators' namespace is missing.

    `known` are those that were served before. Returns None if the API server does not answer.
    """
    try:
        client.CoreV1Api(api).read_namespace(NAMESPACE, _request_timeout=REQUEST_SECONDS)
        listed = client.ApisApi(api).get_api_versions(_request_timeout=REQUEST_SECONDS).groups
        return {
            group.name
            for group in listed
            if group.name in needed and (group.name in known or _has_kinds(api, group.versions[0].group_version))
        }
    except client.ApiException as error:
        return set() if error.status == HTTPStatus.NOT_FOUND else None
    except HTTPError:
        return None


def _has_kinds(api: client.ApiClient, group_version: str) -> bool:
    """Return whether a listed version of a group is served: that comes a moment later."""
    group, version = group_version.split("/")
    try:
        answer = client.CustomObjectsApi(api).get_api_resources(group, version, _request_timeout=REQUEST_SECONDS)
    except client.ApiException as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return False
        raise
    return bool(answer.resources)


def _copy_certificate(sandbox: Sandbox) -> None:
    """Put a TLS pair where Jaeger's operator, which does not start without one, looks for it: below TMPDIR."""
    pair = sandbox.temporary / "k8s-webhook-server" / "serving-certs"
    pair.mkdir(parents=True, exist_ok=True)
    # No webhook is registered, so nobody looks at the names in it: the API server's own pair will do.
    shutil.copyfile(sandbox.cluster / "pki" / "admin.crt", pair / "tls.crt")
    shutil.copyfile(sandbox.cluster / "pki" / "admin.key", pair / "tls.key")


if __name__ == "__main__":
    supervise(Sandbox(Path(sys.argv[1]), ports_from(int(sys.argv[2]))))
