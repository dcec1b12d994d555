"""MangakAI in a demo: the small application with the instrumentation of the real one, its visitors and its faults."""

from collections.abc import Mapping, Set
from pathlib import Path

from sandbox.demo.application.running import Application, Ports
from sandbox.demo.application.visitors import Visitors
from sandbox.demo.exporters import Target

BACKEND_FAULTS = {"errors", "slow"}


class Mangakai:
    """A backend, a worker and their Redis. `targets` are what Prometheus would discover of them."""

    def __init__(
        self, folder: Path, ports: Ports, namespace: str, environment: Mapping[str, str] | None = None
    ) -> None:
        """Start everything.

        Args:
            folder: of the application's own.
            ports: all free.
            namespace: that the targets have.
            environment: what the ConfigMap and the Secret of the application would hold.

        Raises:
            SandboxError: a process does not start.
        """
        self.targets = [
            _target("mangakai-backend", "mangakai-backend-0", ports.backend_metrics, namespace),
            _target("kubernetes-pods", "mangakai-worker-0", ports.worker_metrics, namespace),
        ]
        shared = {"PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics")}
        self._application = Application(folder, ports, {**shared, **(environment or {})})
        try:
            self._application.start_redis()
            self._application.start_backend()
            self._application.start_worker()
        except BaseException:
            self._application.stop()
            raise
        self._visitors = Visitors(ports.backend)

    def show(self, faults: Set[str]) -> None:
        """Let go wrong what is among `faults`, and nothing else."""
        self._application.set_faults(*BACKEND_FAULTS & faults)
        is_down = "backend" not in self._application.processes
        if "backend-down" in faults and not is_down:
            self._application.end("backend", kill=True)
        elif is_down and "backend-down" not in faults:
            self._application.start_backend()

    def stop(self) -> None:
        """End everything."""
        self._visitors.stop()
        self._application.stop()


def _target(job: str, pod: str, port: int, namespace: str) -> Target:
    return Target(job, "/metrics", port, {"namespace": namespace, "pod": pod, "instance": f"{pod}:8001"})
