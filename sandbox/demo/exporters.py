"""The targets of a demo: exporters, and the backend if wanted, simulated, with faults to switch on."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REQUESTS_PER_SECOND = 20
Advance = Callable[[float], None]


@dataclass(frozen=True)
class Target:
    """A target of a scrape job: its path and port here, and what discovery would say of it."""

    job: str
    path: str
    port: int
    labels: dict[str, str]


class Exporters:
    """The server of all targets on 127.0.0.1:`port`. `faults` holds the names of those that are on."""

    def __init__(self, port: int, namespace: str, with_backend: bool) -> None:
        self.faults: set[str] = set()
        self.targets: list[Target] = []
        self._port = port
        self._namespace = namespace
        self._pages: dict[str, _Page] = {}
        for pod in ("mangakai-backend-0", "mangakai-backend-1") if with_backend else ():
            self._add("mangakai-backend", pod, self._backend)
        self._add("redis", "mangakai-redis-0", self._redis)
        self._add("postgres", "postgres-0", self._postgres)
        self._add("nginx", "mangakai-nginx-0", self._nginx)
        self._add("kubernetes-nodes", "node-0", self._kubelet)
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()

    def scrape(self, path: str) -> bytes | None:
        """Return the metrics of a target as they are now, or None where it does not answer."""
        page = self._pages[path]
        if page.job == "mangakai-backend" and "backend-down" in self.faults:
            return None
        return page.now()

    def _add(self, job: str, name: str, expose: Callable[[CollectorRegistry], Advance]) -> None:
        path = f"/{name}/metrics"
        registry = CollectorRegistry()
        self._pages[path] = _Page(job, registry, expose(registry))
        where = {"node": name} if job == "kubernetes-nodes" else {"namespace": self._namespace, "pod": name}
        self.targets.append(Target(job, path, self._port, {"instance": f"{name}:{self._port}", **where}))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        exporters = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = exporters.scrape(self.path)
                self.send_response(503 if body is None else 200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *arguments: object) -> None:
                pass

        return Handler

    def _backend(self, registry: CollectorRegistry) -> Advance:
        requests = Counter("http_requests_total", "-", ["method", "endpoint", "status"], registry=registry)
        seconds = Histogram("http_request_duration_seconds", "-", ["method", "endpoint"], registry=registry)
        tasks = Counter("celery_task_total", "-", ["task_name", "status"], registry=registry)
        generations = Counter("manga_generation_total", "-", ["status"], registry=registry)
        Gauge("celery_queue_length", "-", ["queue"], registry=registry).labels("celery").set(3)

        def advance(elapsed: float) -> None:
            status = "500" if "errors" in self.faults else "200"
            requests.labels("GET", "/api/manga", status).inc(elapsed * REQUESTS_PER_SECOND)
            for _ in range(round(elapsed * REQUESTS_PER_SECOND)):
                seconds.labels("GET", "/api/manga").observe(4 if "slow" in self.faults else 0.2)
            tasks.labels("generate_manga", "SUCCESS").inc(elapsed)
            generations.labels("success").inc(elapsed / 10)

        return advance

    def _redis(self, registry: CollectorRegistry) -> Advance:
        up = Gauge("redis_up", "-", registry=registry)
        Gauge("redis_memory_used_bytes", "-", registry=registry).set(200e6)
        Gauge("redis_memory_max_bytes", "-", registry=registry).set(1e9)
        return lambda _: up.set("redis-down" not in self.faults)

    def _postgres(self, registry: CollectorRegistry) -> Advance:
        Gauge("pg_up", "-", registry=registry).set(1)
        taken = Gauge("pg_stat_database_numbackends", "-", ["datname"], registry=registry)
        Gauge("pg_settings_max_connections", "-", registry=registry).set(100)
        Gauge("pg_settings_superuser_reserved_connections", "-", registry=registry).set(3)
        return lambda _: taken.labels("mangakai").set(97 if "postgres-full" in self.faults else 20)

    def _nginx(self, registry: CollectorRegistry) -> Advance:
        Gauge("nginx_up", "-", registry=registry).set(1)
        return lambda _: None

    def _kubelet(self, registry: CollectorRegistry) -> Advance:
        labels = ["namespace", "persistentvolumeclaim"]
        volume = ("monitoring", "elasticsearch-data-mangakai-logs-es-default-0")
        Gauge("kubelet_volume_stats_capacity_bytes", "-", labels, registry=registry).labels(*volume).set(100e9)
        free = Gauge("kubelet_volume_stats_available_bytes", "-", labels, registry=registry).labels(*volume)
        return lambda _: free.set(4e9 if "volume-full" in self.faults else 40e9)


class _Page:
    """The metrics of one target, which go on as time does."""

    def __init__(self, job: str, registry: CollectorRegistry, advance: Advance) -> None:
        self.job = job
        self._registry = registry
        self._advance = advance
        self._at = time.monotonic()
        self._lock = threading.Lock()

    def now(self) -> bytes:
        with self._lock:
            now = time.monotonic()
            self._advance(now - self._at)
            self._at = now
            return generate_latest(self._registry)
