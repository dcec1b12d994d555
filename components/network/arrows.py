"""Who connects to whom, at which ports: the arrows of the picture in the README, and what they need of the cluster.

node-exporter has none: its pods are in the network of their node, which no policy holds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..foundation import web_interfaces as web
from ..settings import Settings
from .parts import (
    ALERTMANAGER,
    BACKUP_PODS,
    BACKUP_SET_UP,
    ELASTIC_OPERATOR,
    FILEBEAT,
    GRAFANA,
    JAEGER_COLLECTOR,
    JAEGER_INDEX_CLEANER,
    JAEGER_OPERATOR,
    JAEGER_QUERY,
    KIBANA_PODS,
    KUBE_STATE_METRICS,
    KUBERNETES_EVENTS,
    LOG_INDEX,
    LOGS,
    LOGS_EXPORTER,
    LOGSTASH,
    PROMETHEUS,
    TRACES,
    TRACES_AWAITED,
    TRACES_EXPORTER,
    Part,
    Place,
)

HTTPS, DNS = 443, 53
# Of a cluster on EKS, and of most others.
API_SERVER = (443, 6443)
KUBELET, NODE_EXPORTER = 10250, 9100
ELASTICSEARCH, ELASTICSEARCH_NODES = 9200, 9300
WEBHOOK = 9443
AGENT = 9112  # of the backups


@dataclass(frozen=True)
class Arrow:
    """A connection that is allowed, by TCP. Without ports: at each."""

    source: Part | Place
    target: Part | Place
    ports: tuple[int, ...]


def arrows(settings: Settings, backups: bool) -> list[Arrow]:
    """Return what a stack needs.

    Args:
        settings: of the stack.
        backups: whether it makes any.
    """
    needed = [
        *_metrics(settings),
        *_alerts(settings),
        *_logs(),
        *_traces(),
        *_operators(settings),
        *_people(settings),
        *(_backups() if backups else []),
    ]
    # Whoever connects to somebody asks for the address.
    names = [Arrow(arrow.source, Place.DNS, (DNS,)) for arrow in needed if isinstance(arrow.source, Part)]
    return list(dict.fromkeys([*needed, *names]))


def _metrics(settings: Settings) -> Iterator[Arrow]:
    scraped = {
        PROMETHEUS: web.PROMETHEUS.port,
        ALERTMANAGER: web.ALERTMANAGER.port,
        KUBE_STATE_METRICS: 8080,
        GRAFANA: web.GRAFANA.port,
        ELASTIC_OPERATOR: 8080,
        LOGS_EXPORTER: 9114,
        TRACES_EXPORTER: 9114,
        JAEGER_OPERATOR: 8383,
        JAEGER_COLLECTOR: 14269,
        JAEGER_QUERY: 16687,
    }
    for part, port in scraped.items():
        yield Arrow(PROMETHEUS, part, (port,))
    yield Arrow(PROMETHEUS, Place.NODES, (KUBELET, NODE_EXPORTER))
    yield Arrow(PROMETHEUS, Place.API_SERVER, API_SERVER)
    # The application, and pods that ask for it by annotations, wherever they are and whatever their port.
    yield Arrow(PROMETHEUS, Place.OTHER_NAMESPACES, ())
    if remote_write := settings.prometheus.remote_write:
        yield Arrow(PROMETHEUS, Place.OUTSIDE, (urlsplit(remote_write.url).port or HTTPS,))
        if not remote_write.username:  # the login comes from STS
            yield Arrow(PROMETHEUS, Place.OUTSIDE, (HTTPS,))
    yield Arrow(KUBE_STATE_METRICS, Place.API_SERVER, API_SERVER)
    yield Arrow(GRAFANA, PROMETHEUS, (web.PROMETHEUS.port,))


def _alerts(settings: Settings) -> Iterator[Arrow]:
    for part in (GRAFANA, LOGSTASH):
        yield Arrow(part, ALERTMANAGER, (web.ALERTMANAGER.port,))
    if settings.alertmanager.replicas > 1:
        yield Arrow(ALERTMANAGER, ALERTMANAGER, (9094,))
    relay = int(settings.alertmanager.smtp.smarthost.rpartition(":")[2])
    yield Arrow(ALERTMANAGER, Place.OUTSIDE, (relay,))
    yield Arrow(ALERTMANAGER, Place.OUTSIDE, (HTTPS,))  # Slack, the heartbeat


def _logs() -> Iterator[Arrow]:
    yield Arrow(FILEBEAT, LOGSTASH, (5044,))
    for part in (FILEBEAT, KUBERNETES_EVENTS):
        yield Arrow(part, Place.API_SERVER, API_SERVER)
    for part in (LOGSTASH, KIBANA_PODS, LOG_INDEX, LOGS_EXPORTER, GRAFANA):
        yield Arrow(part, LOGS, (ELASTICSEARCH,))
    yield Arrow(LOG_INDEX, KIBANA_PODS, (web.KIBANA.port,))


def _traces() -> Iterator[Arrow]:
    yield Arrow(Place.APPLICATION, JAEGER_COLLECTOR, (4317, 4318))
    for part in (JAEGER_COLLECTOR, JAEGER_QUERY, JAEGER_INDEX_CLEANER, TRACES_AWAITED, TRACES_EXPORTER):
        yield Arrow(part, TRACES, (ELASTICSEARCH,))
    yield Arrow(GRAFANA, JAEGER_QUERY, (web.JAEGER.port,))


def _operators(settings: Settings) -> Iterator[Arrow]:
    for cluster in (LOGS, TRACES):
        yield Arrow(ELASTIC_OPERATOR, cluster, (ELASTICSEARCH,))
        # A node that ends asks the others by HTTPS to do without it.
        yield Arrow(cluster, cluster, (ELASTICSEARCH, ELASTICSEARCH_NODES))
    for part in (ELASTIC_OPERATOR, JAEGER_OPERATOR, GRAFANA):
        yield Arrow(part, Place.API_SERVER, API_SERVER)
    if settings.cluster.elastic_webhook:
        yield Arrow(Place.API_SERVER, ELASTIC_OPERATOR, (WEBHOOK,))
    if settings.traces.cert_manager == "existing":
        yield Arrow(Place.API_SERVER, JAEGER_OPERATOR, (WEBHOOK,))


def _people(settings: Settings) -> Iterator[Arrow]:
    opened = {
        PROMETHEUS: web.PROMETHEUS,
        ALERTMANAGER: web.ALERTMANAGER,
        GRAFANA: web.GRAFANA,
        KIBANA_PODS: web.KIBANA,
    }
    for part, interface in opened.items():
        yield Arrow(Place.PEOPLE, part, (interface.port,))
    if settings.exposure.jaeger:
        yield Arrow(Place.PEOPLE, JAEGER_QUERY, (web.JAEGER.port,))
    if sign_on := settings.grafana.single_sign_on:
        for url in (sign_on.token_url, sign_on.api_url):
            yield Arrow(GRAFANA, Place.OUTSIDE, ((url and urlsplit(url).port) or HTTPS,))


def _backups() -> Iterator[Arrow]:
    for part in (PROMETHEUS, GRAFANA, BACKUP_PODS):
        yield Arrow(PROMETHEUS, part, (AGENT,))
        yield Arrow(part, Place.OUTSIDE, (HTTPS,))
    for cluster in (LOGS, TRACES):
        yield Arrow(cluster, Place.OUTSIDE, (HTTPS,))
        for part in (BACKUP_PODS, BACKUP_SET_UP):
            yield Arrow(part, cluster, (ELASTICSEARCH,))
    yield Arrow(BACKUP_PODS, ALERTMANAGER, (web.ALERTMANAGER.port,))
