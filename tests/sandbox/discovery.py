"""What a scrape job that is deployed finds: real discovery and relabelling, nothing is scraped."""

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

from sandbox.program_pins import PROMTOOL
from tests.sandbox.conftest import Api

Targets = list[dict[str, str]]


def discover(api: Api, kubeconfig: Path, folder: Path, job: str) -> Targets:
    """Return the labels of a job's targets, as promtool finds them; `folder` is for its configuration."""
    (config,) = yaml.safe_load(api.config_map("prometheus-scrape-configs")[f"{job}.yml"])["scrape_configs"]
    for key in ("tls_config", "authorization", "basic_auth"):
        config.pop(key, None)  # files of the pod; they are for scraping
    for discovery in config["kubernetes_sd_configs"]:
        discovery["kubeconfig_file"] = str(kubeconfig)
    file = folder / f"{job}.yml"
    file.write_text(yaml.safe_dump({"scrape_configs": [config]}))
    command = [str(PROMTOOL.path), "check", "service-discovery", "--timeout=3s", str(file), job]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    targets: list[dict[str, Any]] = json.loads(done.stdout)
    return sorted((one["labels"] for one in targets if one.get("labels")), key=lambda labels: labels["instance"])
