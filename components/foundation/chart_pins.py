"""The chart pins: which charts at which versions, and where their archives lie."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Chart:
    """A chart at a version, and the repository that publishes it."""

    repository: str
    version: str


_PROMETHEUS = "https://prometheus-community.github.io/helm-charts"
_GRAFANA = "https://grafana-community.github.io/helm-charts"
_ELASTIC = "https://helm.elastic.co"
_JAEGER = "https://jaegertracing.github.io/helm-charts"

PINS: Mapping[str, Chart] = {
    # renovate: datasource=helm depName=prometheus registryUrl=https://prometheus-community.github.io/helm-charts
    "prometheus": Chart(_PROMETHEUS, "29.27.0"),
    # renovate: datasource=helm depName=alertmanager registryUrl=https://prometheus-community.github.io/helm-charts
    "alertmanager": Chart(_PROMETHEUS, "1.42.0"),
    # renovate: datasource=helm depName=grafana registryUrl=https://grafana-community.github.io/helm-charts
    "grafana": Chart(_GRAFANA, "12.11.1"),
    # renovate: datasource=helm depName=eck-operator-crds registryUrl=https://helm.elastic.co
    "eck-operator-crds": Chart(_ELASTIC, "3.5.0"),
    # renovate: datasource=helm depName=eck-operator registryUrl=https://helm.elastic.co
    "eck-operator": Chart(_ELASTIC, "3.5.0"),
    # renovate: datasource=helm depName=eck-elasticsearch registryUrl=https://helm.elastic.co
    "eck-elasticsearch": Chart(_ELASTIC, "0.20.0"),
    # renovate: datasource=helm depName=eck-kibana registryUrl=https://helm.elastic.co
    "eck-kibana": Chart(_ELASTIC, "0.20.0"),
    # renovate: datasource=helm depName=eck-logstash registryUrl=https://helm.elastic.co
    "eck-logstash": Chart(_ELASTIC, "0.20.0"),
    # renovate: datasource=helm depName=eck-beats registryUrl=https://helm.elastic.co
    "eck-beats": Chart(_ELASTIC, "0.20.0"),
    # renovate: datasource=helm depName=jaeger-operator registryUrl=https://jaegertracing.github.io/helm-charts
    "jaeger-operator": Chart(_JAEGER, "2.57.0"),
}


def archive(directory: str, chart: str) -> Path:
    """Return where the archive of `chart` lies in the charts' directory."""
    return Path(directory) / f"{chart}-{PINS[chart].version}.tgz"
