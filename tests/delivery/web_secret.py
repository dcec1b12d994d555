"""The Secret `web-auth` as production's pods mount it, and the containers beside Prometheus in production's pod."""

from pathlib import Path
from typing import Any

import yaml
from pulumi.runtime import rpc

from operations import offline_run
from tests.offline import ROOT, Run, configuration

MOUNT = "/etc/prometheus/web"


def write(folder: Path, password: str) -> Path:
    """Write the Secret's files for `password` below a folder, and return where they are."""
    web = folder / "web"
    web.mkdir()
    (data,) = (
        one.inputs["stringData"]
        for one in _production(folder, password).of_type("kubernetes:core/v1:Secret")
        if one.inputs["metadata"]["name"] == "web-auth"
    )
    for name, text in rpc.unwrap_rpc_secret(data).items():
        (web / name).write_text(str(rpc.unwrap_rpc_secret(text)))
    return web


def sidecar(folder: Path, name: str) -> dict[str, Any]:
    """Return a container of the pod beside Prometheus, as the program describes it."""
    releases = _production(folder, "any password").of_type("kubernetes:helm.sh/v3:Release")
    (release,) = (one for one in releases if one.name == "prometheus")
    found = release.inputs["values"]["server"]["sidecarContainers"][name]
    return dict(yaml.safe_load(found) if isinstance(found, str) else found)


def _production(folder: Path, password: str) -> Run:
    charts = folder / "charts"
    charts.mkdir(exist_ok=True)
    return offline_run.run(ROOT, "prod", configuration("prod", {"webPassword": password}), charts)
