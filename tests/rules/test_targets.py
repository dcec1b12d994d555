"""Which targets a scrape job makes of what discovery finds: Prometheus' own relabelling, on made-up pods."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from components.metrics.scrape_jobs import SCRAPE
from sandbox.program_pins import PROMTOOL

JOBS_BY_POD = {
    "backup": ("backup", "backup"),
    "elastic-operator": ("elastic-operator", "metrics"),
    "elasticsearch": ("elasticsearch-exporter", "metrics"),
    "jaeger-operator": ("jaeger-operator", "metrics"),
}


def targets(folder: Path, job: str, ports: list[dict[str, str]]) -> list[str]:
    """Return the addresses that a job scrapes, of ports as discovery finds them: `address` and what it says of each."""
    (config,) = yaml.safe_load((SCRAPE / f"{job}.yml").read_text())["scrape_configs"]
    del config["kubernetes_sd_configs"]
    config["static_configs"] = [
        {
            "targets": [port["address"]],
            "labels": {f"__meta_kubernetes_{name}": value for name, value in port.items() if name != "address"},
        }
        for port in ports
    ]
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump({"scrape_configs": [config]}))
    command = [str(PROMTOOL.path), "check", "service-discovery", "--timeout=1s", str(file), job]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = [target["labels"] for target in json.loads(done.stdout) if target.get("labels")]
    return sorted({labels["__address__"] for labels in found})


@pytest.mark.usefixtures("_tools")
@pytest.mark.parametrize("job", JOBS_BY_POD)
def test_a_pod_that_ended_is_no_target(tmp_path: Path, job: str) -> None:
    name, port = JOBS_BY_POD[job]
    pod = {"pod_label_app_kubernetes_io_name": name, "pod_container_port_name": port}
    phases = ["Running", "Failed", "Succeeded"]
    ports = [{"address": f"10.0.0.{number}:9000", "pod_phase": phase, **pod} for number, phase in enumerate(phases)]
    assert targets(tmp_path, job, ports) == ["10.0.0.0:9000"]


def test_each_job_by_pod_is_tried() -> None:
    by_pod = {
        path.stem
        for path in SCRAPE.glob("*.yml")
        if yaml.safe_load(path.read_text())["scrape_configs"][0]["kubernetes_sd_configs"][0]["role"] == "pod"
    }
    assert by_pod == JOBS_BY_POD.keys() | {"kubernetes-pods"}


@pytest.mark.usefixtures("_tools")
@pytest.mark.parametrize(
    ("annotated", "scraped"),
    [({"pod_annotation_prometheus_io_port": "8001"}, ["10.0.0.1:8001"]), ({}, ["10.0.0.1:9000"])],
    ids=["port annotated", "no port annotated"],
)
def test_a_pod_that_asks_is_one_target(tmp_path: Path, annotated: dict[str, str], scraped: list[str]) -> None:
    pod = {
        "pod_annotation_prometheus_io_scrape": "true",
        "pod_phase": "Running",
        "namespace": "mangakai-prod",
        "pod_ip": "10.0.0.1",
        **annotated,
    }
    ports = {"http": 8000, "metrics": 9000, "": 8443}
    found = [
        {"address": f"10.0.0.1:{number}", "pod_container_port_name": name, **pod} for name, number in ports.items()
    ]
    assert targets(tmp_path, "kubernetes-pods", found) == scraped
    ended = [port | {"pod_phase": "Failed"} for port in found]
    assert targets(tmp_path, "kubernetes-pods", ended) == []
