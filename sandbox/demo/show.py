"""`make demo`: alerts of a stack that is up, from a fault to the mail, with its own configuration."""

import base64
import textwrap
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from kubernetes import client, config

from components.foundation.names import ALERTMANAGER_NOTIFICATIONS, MONITORING, SMTP_AUTH_PASSWORD
from components.metrics import alertmanager, prometheus
from components.settings import read_file
from operations import render
from sandbox import preflight
from sandbox.build import ensure
from sandbox.clusters import is_live, is_running
from sandbox.demo.alone import alone
from sandbox.demo.application import running as application
from sandbox.demo.faults import FAULTS
from sandbox.demo.loopback import Ports
from sandbox.demo.mangakai import Mangakai
from sandbox.demo.watch import PROGRAMS, Watch
from sandbox.layout import CHECKOUT, Sandbox
from sandbox.processes import SandboxError

PORTS = Ports(prometheus=prometheus.PORT, alertmanager=alertmanager.PORT, exporters=29090, smtp=29025, webhooks=29080)
# On a live cluster the stack's own answer there.
PORTS_BESIDE = PORTS._replace(prometheus=29091, alertmanager=29093)
APPLICATION_PORTS = application.Ports(redis=29379, backend=29000, backend_metrics=29001, worker_metrics=29002)
T = TypeVar("T")
# A demo that nobody ends ends itself.
MOST_SECONDS = 3600


def demo(sandbox: Sandbox, stack: str, fault: str | None, speed: float) -> int:
    """Run Prometheus and Alertmanager until told to end, or until `fault` was told, mended and told again.

    Args:
        sandbox: on which `stack` is up.
        stack: its name.
        fault: one of FAULTS, or None.
        speed: by which every duration but an expression's is divided.

    Returns:
        0, or 1 where a notification did not come.

    Raises:
        SandboxError: nothing is up, another demo runs, a port is taken, or a program does not start.
    """
    if not is_running(sandbox):
        raise SandboxError("there is no sandbox: run make up or make live first")
    with alone(sandbox) as folder:
        return _show(sandbox, folder, stack, fault, speed)


def _show(sandbox: Sandbox, folder: Path, stack: str, fault: str | None, speed: float) -> int:
    ports = PORTS_BESIDE if is_live(sandbox) else PORTS
    wanted = ports._asdict() | APPLICATION_PORTS._asdict()
    if lacks := [*preflight.check(wanted, need_build=False), *preflight.redis()]:
        raise SandboxError("the demo cannot start:\n" + "\n".join(f"  - {line}" for line in lacks))
    files, password = configuration(sandbox)
    namespace = read_file(CHECKOUT / f"Pulumi.{stack}.yaml").application.namespace
    ensure(PROGRAMS)
    mangakai = Mangakai(folder / "mangakai", APPLICATION_PORTS, namespace)
    with Watch(files, folder, ports, namespace, password, speed, mangakai) as watch:
        print(
            f"Prometheus answers on http://localhost:{ports.prometheus}, Alertmanager (its API) on "
            f"http://localhost:{ports.alertmanager}, with the stack's own configuration.\n"
            f"A small MangakAI of FastAPI, Celery and Redis answers on http://localhost:{APPLICATION_PORTS.backend}; "
            f"the exporters, mail, Slack and heartbeat service are simulated, all on 127.0.0.1. "
            f"Speed {speed:g}: every duration but an expression's own is divided by it.\n"
        )
        news = _News(watch)
        return news.follow(fault) if fault else news.idle()


def configuration(sandbox: Sandbox) -> tuple[dict[str, str], str]:
    """Return what the pods of the stack that is up read, as `make render` names it, and the mail server's password.

    Raises:
        SandboxError: no stack is up.
    """
    connection = config.new_client_from_config(str(sandbox.kubeconfig))  # type: ignore[no-untyped-call]
    api = client.CoreV1Api(connection)
    files: dict[str, str] = {}
    try:
        for name in render.CONFIG_MAPS:
            files |= render.of_config_map(name, api.read_namespaced_config_map(name, MONITORING).data or {})
        secret = api.read_namespaced_secret(ALERTMANAGER_NOTIFICATIONS, MONITORING).data or {}
    except client.ApiException as error:
        raise SandboxError(f"no stack is up on the sandbox ({error.reason}): run make up or make live first") from error
    return files, base64.b64decode(secret[SMTP_AUTH_PASSWORD]).decode()


class _News:
    """Tells what happens, each line with the seconds since the last turn of events."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._since = time.monotonic()
        self._told = {"mail": 0, "slack": 0, "heartbeat": 0}
        self._states: dict[str, str] = {}

    def idle(self) -> int:
        """Tell until Ctrl-C, an hour at most."""
        print("Nothing is wrong. `make demo FAULT=errors`, in place of this, shows what happens then. End: Ctrl-C.\n")
        with suppress(KeyboardInterrupt):
            self._until(lambda: False, MOST_SECONDS)
        return 0

    def follow(self, name: str) -> int:
        """Tell what a fault and its end bring about. Returns 1 where a mail does not come."""
        fault = FAULTS[name]
        limit = 120 + 1200 / self._watch.speed
        print("The application runs for a minute first, so that its rates are known.\n")
        self._until(lambda: False, 60)
        for turn, resolved in ((f"FAULT {name}: {fault.what}", False), ("The fault is mended", True)):
            print(f"\n--- {turn} ---\n")
            self._since = time.monotonic()
            self._watch.switch(name)
            if not self._until(partial(self._mailed, fault.alert, resolved), limit):
                print(f"No mail of {fault.alert} came within {limit:.0f} s.")
                return 1
        return 0

    def _mailed(self, alert: str, resolved: bool) -> bool:
        return any(
            alert in mail.subject and mail.at > self._since and mail.subject.startswith("[RESOLVED]") is resolved
            for mail in self._watch.mail.received
        )

    def _until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Tell what happens until `condition` holds; return whether it did within `seconds`."""
        deadline = time.monotonic() + seconds
        while not (holds := condition()) and time.monotonic() < deadline:
            time.sleep(0.5)
            self._tell()
        return holds

    def _tell(self) -> None:
        states = {_name(alert["labels"]): alert["state"] for alert in self._watch.alerts()}
        for name in sorted(states.keys() | self._states.keys()):
            if states.get(name) != self._states.get(name):
                self._say(f"{name}: {states.get(name, 'over')}")
        self._states = states
        for mail in self._new("mail", self._watch.mail.received):
            self._say(f"MAIL to {mail.to}: {mail.subject}")
            print(textwrap.indent(mail.text.strip(), "    | "), flush=True)
        for post in self._new("slack", self._watch.webhooks.received["/slack"]):
            (attachment,) = post.body["attachments"]
            self._say(f"SLACK {post.body['channel']}: {attachment['title']}")
        for _ in self._new("heartbeat", self._watch.webhooks.received["/heartbeat"]):
            self._say("heartbeat")

    def _new(self, kind: str, received: list[T]) -> list[T]:
        new = received[self._told[kind] :]
        self._told[kind] += len(new)
        return new

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self._since:7.1f} s  {text}", flush=True)


def _name(labels: dict[str, str]) -> str:
    """Return an alert's name, and what it is about."""
    return " ".join(
        [labels["alertname"], *(labels[key] for key in ("job", "pod", "persistentvolumeclaim") if key in labels)]
    )
