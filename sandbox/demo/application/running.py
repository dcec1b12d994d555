"""The demo application as processes on 127.0.0.1: a Redis, a backend, a worker."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Self

from sandbox import preflight
from sandbox.layout import CHECKOUT
from sandbox.processes import SandboxError

START_SECONDS, STOP_SECONDS = 120, 20
# Of the Redis: throwaway, but one that must be found nowhere.
PASSWORD = "canary-redis-5e1c"


class Ports(NamedTuple):
    """The TCP ports of the application on 127.0.0.1."""

    redis: int
    backend: int
    backend_metrics: int
    worker_metrics: int


class Application:
    """The application's processes. Use it as a context manager: leaving it ends them all."""

    def __init__(self, folder: Path, ports: Ports, environment: Mapping[str, str] | None = None) -> None:
        """Prepare; nothing runs yet.

        Args:
            folder: of the application's own: its database, the lines that it logs (`<process>.log`), its faults.
            ports: all free.
            environment: what its pods would get: OTEL_*, SENTRY_*, PROMETHEUS_MULTIPROC_DIR.
        """
        self.ports = ports
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._folder = folder
        self.environment = {
            "LOG_LEVEL": "INFO",
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{CHECKOUT}:{CHECKOUT / 'instrumentation'}",
            "BROKER_URL": f"redis://:{PASSWORD}@127.0.0.1:{ports.redis}/0",
            "DATABASE_URL": f"sqlite+aiosqlite:///{folder}/database",
            "FAULT_FILE": str(folder / "faults"),
            **(environment or {}),
        }
        folder.mkdir(parents=True, exist_ok=True)
        # Its programs are started through this folder, so that who looks for its processes finds them.
        (folder / "venv").symlink_to(Path(sys.prefix))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End all processes, Redis last."""
        for name in reversed(list(self.processes)):
            self.end(name, kill=name == "redis")

    def start_redis(self) -> None:
        """Start Redis, which keeps nothing on disk.

        Raises:
            SandboxError: it is not installed, or does not start.
        """
        if lacks := preflight.redis():
            raise SandboxError(lacks[0])
        program = self._folder / "redis-server"
        program.unlink(missing_ok=True)
        program.symlink_to(str(shutil.which("redis-server")))
        own = ["--port", str(self.ports.redis), "--bind", "127.0.0.1", "--save", "", "--requirepass", PASSWORD]
        self._start("redis", [str(program), *own], self.ports.redis)

    def start_backend(self, workers: int = 1) -> None:
        """Start the backend with so many processes, all of which answer then.

        Raises:
            SandboxError: it does not start.
        """
        own = ["sandbox.demo.application.backend:app", "--host", "127.0.0.1", "--port", str(self.ports.backend)]
        # On a busy machine a worker imports for longer than the five seconds after which its parent would kill it.
        more = ["--workers", str(workers), "--timeout-worker-healthcheck", "60"] if workers > 1 else []
        self._start("backend", ["-m", "uvicorn", *own, *more], self.ports.backend, self.ports.backend_metrics)
        # The parent opens the port before the first of its workers is there, and that one serves before the last is.
        self._wait("backend", lambda: self.log("backend").count("Application startup complete") >= workers)

    def start_worker(self, children: int = 2) -> None:
        """Start a worker with a pool of so many processes. Raises SandboxError if it does not start."""
        own = ["-A", "sandbox.demo.application.tasks:celery", "worker", "--concurrency", str(children)]
        self._start("worker", ["-m", "celery", *own], self.ports.worker_metrics, self.ports.worker_metrics)

    def log(self, name: str) -> str:
        """Return what a process has written."""
        return (self._folder / f"{name}.log").read_text()

    def set_faults(self, *names: str) -> None:
        """Let go wrong what the backend can let go wrong, and nothing else."""
        (self._folder / "faults").write_text(" ".join(names))

    def end(self, name: str, kill: bool = False) -> None:
        """End a process, at once where `kill`; one that does not end is killed."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _start(self, name: str, command: list[str], port: int, metrics: int | None = None) -> None:
        """Start a process, and wait until it listens on `port`."""
        if metrics is not None:
            command = [str(self._folder / "venv/bin/python"), *command]
        environment = {**self.environment, "METRICS_ADDRESS": f"127.0.0.1:{metrics}"}
        with (self._folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, cwd=CHECKOUT, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        self._wait(name, lambda: _listens(port))

    def _wait(self, name: str, started: Callable[[], bool]) -> None:
        """Wait until a process has started. Raises SandboxError, with what it logged, if it does not."""
        deadline = time.monotonic() + START_SECONDS
        while not started():
            if self.processes[name].poll() is not None or time.monotonic() > deadline:
                raise SandboxError(f"{name} of the demo does not start:\n{self.log(name)[-2000:]}")
            time.sleep(0.1)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
