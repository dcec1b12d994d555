"""Write what the pods of a stack will read, in seconds, without engine, cluster or secrets: `make render`."""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pulumi.runtime import rpc

from components.foundation import helm_records
from components.foundation.names import PROMETHEUS_RULES, PROMETHEUS_SCRAPE_CONFIGS
from components.logs.logstash import PIPELINES_SECRET
from components.metrics import alertmanager, prometheus
from components.settings import SettingsError, read_file
from operations.offline_run import Registered, Run, configuration, run

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build"
# Addresses are known to the cluster: the names of the outputs stand for them.
GRAFANA_URL, KIBANA_URL = "<grafanaUrl>", "<kibanaUrl>"
# The names of all that was written into a folder, so that nothing else is removed from it.
LISTING = ".rendered"
# The folder for the texts of each ConfigMap; templates have one of their own.
CONFIG_MAPS = {
    prometheus.CONFIG_MAP: "",
    PROMETHEUS_RULES: "rules/",
    PROMETHEUS_SCRAPE_CONFIGS: "scrape_configs/",
    alertmanager.CONFIG_MAP: "",
}


class RenderError(Exception):
    """The files cannot be written there; the message says why, and what to do."""


def stack_files(stack: str) -> dict[str, str]:
    """Return what the pods of a stack read, by path.

    Raises:
        SettingsError: naming every wrong key at once, or that there is no such stack.
    """
    read_file(ROOT / f"Pulumi.{stack}.yaml")
    with tempfile.TemporaryDirectory() as charts:
        return files(run(ROOT, stack, configuration(ROOT, stack), Path(charts)))


def files(registered: Run) -> dict[str, str]:
    """Return what the pods read of what the program registered, by path."""
    urls = {registered.outputs["grafanaUrl"]: GRAFANA_URL, registered.outputs["kibanaUrl"]: KIBANA_URL}
    found = {path: text for resource in registered.resources for path, text in _texts(resource).items()}
    for url, name in urls.items():
        found["templates/links.tmpl"] = found["templates/links.tmpl"].replace(url, name)
    return found


def of_config_map(name: str, data: Mapping[str, str]) -> dict[str, str]:
    """Return the texts of one of the `CONFIG_MAPS`, by path."""
    return {("templates/" if key.endswith(".tmpl") else CONFIG_MAPS[name]) + key: text for key, text in data.items()}


def write(texts: Mapping[str, str], out: Path) -> None:
    """Write the files below `out`, and remove those that were written there before and are no longer among them.

    Raises:
        RenderError: there is something in `out`, and nothing of it was written here.
    """
    listing = out / LISTING
    ours = listing.exists() or out.is_relative_to(BUILD)
    if out.is_file() or (out.is_dir() and not ours and any(out.iterdir())):
        raise RenderError(f"{out} has files that make render did not write. Name an empty or a new folder by OUT=")
    for name in set(listing.read_text().splitlines() if listing.exists() else ()) - texts.keys():
        old = (out / name).resolve()
        if old.is_file() and old.is_relative_to(out.resolve()):
            old.unlink()
    for name, text in {**texts, LISTING: "".join(f"{name}\n" for name in sorted(texts))}.items():
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def _texts(resource: Registered) -> dict[str, str]:
    """Return what the pods read of one resource, by path."""
    inputs, metadata = resource.inputs, resource.inputs.get("metadata", {})
    match resource.type, resource.name:
        case "kubernetes:core/v1:ConfigMap", name if name in CONFIG_MAPS:
            return of_config_map(name, inputs["data"])
        case "kubernetes:core/v1:ConfigMap", _ if "grafana_dashboard" in metadata["labels"]:
            return {f"dashboards/{key}": text for key, text in inputs["data"].items()}
        case "kubernetes:core/v1:Secret", name if name == PIPELINES_SECRET:
            pipelines = yaml.safe_load(rpc.unwrap_rpc_secret(inputs["stringData"])["pipelines.yml"])
            return {f"logstash/{one['pipeline.id']}.conf": one["config.string"] for one in pipelines}
        case helm_records.RELEASE_TYPE, "filebeat":
            return {"filebeat.yml": _yaml(inputs["values"]["config"])}
        case "kubernetes:jaegertracing.io/v1:Jaeger", _:
            identity = {key: metadata[key] for key in ("name", "namespace")}
            return {"jaeger.yml": _yaml({**inputs, "metadata": identity})}
    return {}


def _yaml(value: Mapping[str, Any]) -> str:
    return yaml.safe_dump(value, allow_unicode=True)


def main() -> int:
    """Render one stack. Returns 0, or 2 where its settings or the folder are wrong."""
    parser = argparse.ArgumentParser(prog="make render", description=__doc__)
    parser.add_argument("--stack", required=True, help="local, staging, prod, or any other with a Pulumi.<stack>.yaml")
    parser.add_argument("--out", type=Path, help="where to (default: build/<stack>)")
    parser.add_argument("--json", action="store_true", help="print the paths as JSON")
    arguments = parser.parse_args()
    out: Path = arguments.out or BUILD / arguments.stack
    try:
        texts = stack_files(arguments.stack)
        write(texts, out)
    except (SettingsError, RenderError) as error:
        print(error, file=sys.stderr)
        return 2
    if arguments.json:
        print(json.dumps({"out": str(out), "files": sorted(texts)}, indent=2))
    else:
        print(f"{len(texts)} files of stack {arguments.stack} are in {out}/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
