"""What cAdvisor told of a container that is gone: a real Prometheus scrapes a page with timestamps, like a kubelet."""

import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

from components.metrics.scrape_jobs import SCRAPE
from sandbox.build import ensure
from sandbox.demo.watch import Watch
from sandbox.program_pins import PROMETHEUS
from tests.delivery.own_prometheus import Process
from tests.serving import serving

PORT = 29330


class Kubelet(BaseHTTPRequestHandler):
    """A kubelet with a set of running containers."""

    running = {"dead": 95, "new": 30}

    def do_GET(self) -> None:
        now = round(time.time() * 1000)
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        for name, memory in self.running.items():
            self.wfile.write(f'container_memory_working_set_bytes{{id="{name}"}} {memory} {now}\n'.encode())

    def log_message(self, *_: object) -> None:
        pass


def configuration(kubelet: int) -> str:
    """Return prometheus.yml with the job as pods have it, but for where the kubelet is and how it is asked."""
    (job,) = yaml.safe_load((SCRAPE / "kubernetes-nodes-cadvisor.yml").read_text())["scrape_configs"]
    for key in ("kubernetes_sd_configs", "relabel_configs", "scheme", "tls_config", "authorization"):
        del job[key]
    job |= {"scrape_interval": "1s", "static_configs": [{"targets": [f"127.0.0.1:{kubelet}"]}]}
    return yaml.safe_dump({"scrape_configs": [job]})


def test_a_container_that_is_gone_is_not_told_of(tmp_path: Path) -> None:
    ensure([PROMETHEUS])
    process = Process(tmp_path, PORT)

    def told() -> set[str]:
        return {one["metric"]["id"] for one in process.query("container_memory_working_set_bytes")}

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Kubelet)) as port:
        (tmp_path / "prometheus.yml").write_text(configuration(port))
        process.start()
        try:
            assert Watch.wait(lambda: told() == {"dead", "new"}, 30), process.log.read_text()
            del Kubelet.running["dead"]
            began = time.monotonic()
            assert Watch.wait(lambda: told() == {"new"}, 30), told()
            print(f"\nnot told of {time.monotonic() - began:.1f} s after it was gone, at one scrape a second", end="")
        finally:
            process.kill()
