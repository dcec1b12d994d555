"""Prometheus and Alertmanager as processes, with everything that they read from and send to on this machine."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sandbox.demo import loopback
from sandbox.demo.exporters import Exporters
from sandbox.demo.loopback import Ports
from sandbox.demo.mangakai import Mangakai
from sandbox.demo.sinks import MailServer, Webhooks
from sandbox.processes import SandboxError
from sandbox.program_pins import ALERTMANAGER, PROMETHEUS

# What a watch runs, which has to be built.
PROGRAMS = (PROMETHEUS, ALERTMANAGER)
START_SECONDS = 30
# Five for the discovery of the targets, and at speed 1 up to sixty until each is scraped for the first time.
TARGETS_SECONDS = 120
# How often Prometheus tells a firing alert again; the last time it did counts for four times as long.
RESEND_SECONDS = 60


class Watch:
    """A running demo. Use it as a context manager: leaving it ends all processes and removes all files."""

    def __init__(
        self,
        files: Mapping[str, str],
        folder: Path,
        ports: Ports,
        namespace: str,
        password: str,
        speed: float,
        application: Mangakai | None = None,
    ) -> None:
        """Start everything.

        Args:
            files: the configuration, as `make render` writes it.
            folder: an absolute path of the demo's own.
            ports: on 127.0.0.1, all free.
            namespace: the application's.
            password: of the mail server.
            speed: by which every duration but an expression's is divided.
            application: what is watched, and ended with the demo; without it a backend is simulated.

        Raises:
            SandboxError: a program does not start.
        """
        self.ports = ports
        self.speed = speed
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._application = application
        self.exporters = Exporters(ports.exporters, namespace, with_backend=application is None)
        self._targets = [*self.exporters.targets, *(application.targets if application else [])]
        self.mail = MailServer(ports.smtp, password)
        self.webhooks = Webhooks(ports.webhooks)
        try:
            loopback.write(files, folder, ports, self._targets, password, speed)
            self.start("alertmanager")
            self._start_prometheus_without_rules()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End all processes, close all ports, remove all files."""
        for name in list(self._processes):
            self.end(name)
        if self._application:
            self._application.stop()
        self.exporters.stop()
        self.mail.stop()
        self.webhooks.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def switch(self, fault: str) -> None:
        """Let something go wrong, or mend it."""
        self.exporters.faults ^= {fault}
        if self._application:
            self._application.show(self.exporters.faults)

    def start(self, name: str) -> None:
        """Start `prometheus` or `alertmanager`, with the data that it had, and wait until it is ready."""
        program = PROMETHEUS if name == "prometheus" else ALERTMANAGER
        port = {"prometheus": self.ports.prometheus, "alertmanager": self.ports.alertmanager}[name]
        # Started through the sandbox's folder, so that `make down` finds it too.
        link = self._folder / "bin" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(program.path)
        own = {
            "prometheus": [
                f"--storage.tsdb.path={self._folder}/data/prometheus",
                "--enable-feature=exemplar-storage",
                f"--rules.alert.resend-delay={round(RESEND_SECONDS / self.speed * 1000)}ms",
            ],
            "alertmanager": [f"--storage.path={self._folder}/data/alertmanager", "--cluster.listen-address="],
        }[name]
        command = [
            str(link),
            f"--config.file={self._folder}/{name}/{name}.yml",
            f"--web.listen-address=127.0.0.1:{port}",
            f"--web.external-url=http://localhost:{port}",
            "--log.level=warn",
            *own,
        ]
        log = self._folder / f"{name}.log"
        with log.open("ab") as file:
            self._processes[name] = subprocess.Popen(
                command, env=os.environ | {"POD_NAME": f"{name}-0"}, stdout=file, stderr=file
            )
        if not self.wait(lambda: self._is_ready(name, port), START_SECONDS):
            raise SandboxError(f"{name} does not start:\n{log.read_text()[-2000:]}")

    def _start_prometheus_without_rules(self) -> None:
        """Start Prometheus, and give it its rules once it knows its targets.

        That takes it five seconds at every speed, in which what is absent would fire at a high one.
        """
        rules, later = self._folder / "prometheus" / "rules", self._folder / "prometheus" / "rules-later"
        rules.rename(later)
        self.start("prometheus")
        if not self.wait(self._targets_are_up, TARGETS_SECONDS):
            raise SandboxError("Prometheus cannot scrape the exporters of the demo")
        later.rename(rules)
        self._processes["prometheus"].send_signal(signal.SIGHUP)

    def _targets_are_up(self) -> bool:
        targets = self.ask(self.ports.prometheus, "/api/v1/targets")["data"]["activeTargets"]
        return len(targets) > len(self._targets) and all(target["health"] == "up" for target in targets)

    def end(self, name: str, kill: bool = False) -> None:
        """End a process, at once where `kill`."""
        process = self._processes.pop(name)
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        process.wait(timeout=30)

    def alerts(self) -> list[dict[str, Any]]:
        """Return the pending and firing alerts of Prometheus."""
        found: list[dict[str, Any]] = self.ask(self.ports.prometheus, "/api/v1/alerts")["data"]["alerts"]
        return found

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire in Prometheus."""
        return {alert["labels"]["alertname"] for alert in self.alerts() if alert["state"] == "firing"}

    def ask(self, port: int, path: str) -> Any:
        """Return what the API of one of the two answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return json.load(answer)

    def post_alert(self, alert: Mapping[str, Any]) -> None:
        """Give Alertmanager an alert, as another program than Prometheus."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports.alertmanager, timeout=5)
        with contextlib.closing(connection):
            connection.request(
                "POST", "/api/v2/alerts", json.dumps([alert]).encode(), {"Content-Type": "application/json"}
            )
            answer = connection.getresponse()
            if answer.status != 200:
                raise SandboxError(f"Alertmanager refuses an alert: {answer.status} {answer.read().decode()}")

    @staticmethod
    def wait(condition: Callable[[], bool], seconds: float) -> bool:
        """Return whether `condition` comes true within `seconds`; it is asked five times a second."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        return True

    def _is_ready(self, name: str, port: int) -> bool:
        if self._processes[name].poll() is not None:
            raise SandboxError(f"{name} ended at once:\n{(self._folder / f'{name}.log').read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=2):
                return True
        except OSError:
            return False
