"""The chart pins, and the versions that are shipped beside those that are tested."""

import json
import re

import yaml

from components.elastic import exporter
from components.foundation import backup_target
from components.foundation.chart_pins import PINS
from components.metrics import config_reloader
from components.settings.logs import LogsSettings
from components.settings.traces import TracesSettings
from components.traces import jaeger
from sandbox import program_pins
from sandbox.images import elasticsearch

from .pages import ROOT, table


def charts(_: str) -> str:
    """Return the table of the chart pins."""
    locked = json.loads((ROOT / "components" / "foundation" / "charts.lock.json").read_text())
    rows = [
        (name, chart.version, chart.repository, f"`{locked.get(f'{name}-{chart.version}.tgz', 'not yet')[:12]}`")
        for name, chart in PINS.items()
    ]
    return table(("chart", "version", "repository", "digest that is locked"), rows)


def shipped_and_tested(_: str) -> str:
    """Return the table of the versions."""
    least = ".".join(map(str, program_pins.MINIMUM_PULUMI))
    restic = backup_target._RESTIC_IMAGE.rpartition(":")[2]
    exporter_version = exporter.IMAGE.rpartition(":v")[2]
    pairs = {
        "Prometheus": (_application("prometheus"), program_pins.PROMETHEUS.version),
        "Alertmanager": (_application("alertmanager"), program_pins.ALERTMANAGER.version),
        "the configuration's reloader": (
            config_reloader.IMAGE.rpartition(":v")[2],
            program_pins.CONFIG_RELOADER.version,
        ),
        "Grafana": (_application("grafana"), ""),
        "Elastic's operator": (PINS["eck-operator"].version, program_pins.ECK_OPERATOR.version),
        "Elasticsearch of the logs": (LogsSettings().elasticsearch.version, elasticsearch.Release(9).version),
        "Kibana, Logstash, Filebeat": (LogsSettings().elasticsearch.version, ""),
        "Elasticsearch of the traces": (TracesSettings().elasticsearch.version, elasticsearch.Release(8).version),
        "Elasticsearch's exporter": (exporter_version, program_pins.ELASTICSEARCH_EXPORTER.version),
        "Jaeger's operator": (jaeger._OPERATOR_VERSION, program_pins.JAEGER_OPERATOR.version),
        "Jaeger": (jaeger._VERSION, program_pins.JAEGER_COLLECTOR.version),
        "restic": (restic, program_pins.RESTIC.version),
        "Kubernetes": ("EKS's", program_pins.KUBE_APISERVER.version),
        "Pulumi": (f"{least} or newer", f"{program_pins.OLDEST_PULUMI.version}, {program_pins.PULUMI.version}"),
        "Pulumi's Kubernetes provider": (_locked("pulumi-kubernetes"), program_pins.PROVIDER.version),
        "Helm, in the provider": ("the provider's", program_pins.HELM.version),
    }
    rows = [
        (part, shipped, tested or "not run", "yes" if shipped == tested else "")
        for part, (shipped, tested) in pairs.items()
    ]
    return table(("part", "shipped", "tested", "the same"), rows)


def _application(chart: str) -> str:
    """Return the version of what a chart installs: the stand-in's, which `make charts-check` holds to the chart's."""
    file = ROOT / "sandbox" / "charts" / chart / "Chart.yaml"
    return str(yaml.safe_load(file.read_text())["appVersion"]).removeprefix("v")


def _locked(package: str) -> str:
    found = re.search(rf"^{package}==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    return found[1] if found else ""
