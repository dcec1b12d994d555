"""Write what the pods of a stack will read, in seconds, without engine, cluster or secrets: `make render`."""

import argparse
import json
import sys
from pathlib import Path

import yaml

from components.elastic import connection
from components.foundation.names import MONITORING
from components.grafana import grafana
from components.logs import filebeat, logstash
from components.metrics import alert_rules, notifications, prometheus, scrape_jobs
from components.settings import Settings, SettingsError, read_file
from components.traces import jaeger

ROOT = Path(__file__).parent.parent
# Only a cluster knows under which address it is reached: the outputs of these names.
GRAFANA_URL, KIBANA_URL = "<grafanaUrl>", "<kibanaUrl>"


def files(settings: Settings) -> dict[str, str]:
    """Return what the pods read, by path; the same functions fill the ConfigMaps."""
    application = settings.application
    configuration = {
        "prometheus.yml": prometheus.render(settings.cluster, settings.exposure, settings.prometheus.remote_write),
        "alertmanager.yml": notifications.render(settings.alertmanager),
        "jaeger.yml": _yaml(_jaeger(settings)),
        "filebeat.yml": _yaml(
            filebeat.render(settings.logs.filebeat, logstash.beats(MONITORING), application.namespace)
        ),
    }
    folders = {
        "scrape_configs": scrape_jobs.render(application, settings.exposure, settings.aws is not None),
        "rules": alert_rules.render(settings.alerts, application.namespace),
        "templates": {**notifications.templates(), "links.tmpl": notifications.links(GRAFANA_URL, KIBANA_URL)},
        "dashboards": grafana.dashboards(),
        "logstash": logstash.pipelines(),
    }
    return configuration | {f"{folder}/{name}": text for folder, all_ in folders.items() for name, text in all_.items()}


def write(texts: dict[str, str], out: Path) -> None:
    """Write the files below `out`, and remove rendered ones that are no longer among them."""
    for path in [path for path in out.rglob("*") if path.is_file() and str(path.relative_to(out)) not in texts]:
        path.unlink()
    for name, text in texts.items():
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def _jaeger(settings: Settings) -> dict[str, object]:
    cluster = "mangakai-traces"
    nodes, sample_ratio = settings.traces.elasticsearch.nodes, settings.application.open_telemetry.sample_ratio
    address, ca_secret = connection.url(cluster, MONITORING), connection.ca_secret(cluster)
    spec = jaeger.spec(settings.traces, sample_ratio, address, ca_secret, nodes)
    return {
        "apiVersion": "jaegertracing.io/v1",
        "kind": "Jaeger",
        "metadata": {"name": jaeger.NAME, "namespace": MONITORING},
        "spec": spec,
    }


def _yaml(value: dict[str, object]) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)


def main() -> int:
    """Render one stack. Returns 0, or 2 where its settings are wrong."""
    parser = argparse.ArgumentParser(prog="make render", description=__doc__)
    parser.add_argument("--stack", required=True, help="local, staging, prod, or any other with a Pulumi.<stack>.yaml")
    parser.add_argument("--out", type=Path, help="where to (default: build/<stack>)")
    parser.add_argument("--json", action="store_true", help="print the paths as JSON")
    arguments = parser.parse_args()
    out: Path = arguments.out or ROOT / "build" / arguments.stack
    try:
        texts = files(read_file(ROOT / f"Pulumi.{arguments.stack}.yaml"))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    write(texts, out)
    if arguments.json:
        print(json.dumps({"out": str(out), "files": sorted(texts)}, indent=2))
    else:
        print(f"{len(texts)} files of stack {arguments.stack} are in {out}/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
