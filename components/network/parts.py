"""The parts of the stack, by the labels of their pods, and the places outside them that they speak with."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from ..foundation import web_interfaces as web
from ..foundation.names import AGENTS, BACKUP, MONITORING

_NAME, _INSTANCE = "app.kubernetes.io/name", "app.kubernetes.io/instance"


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """Pods that may have the same connections.

    Args:
        name: of their policy.
        labels: by which the policy knows them.
        namespace: theirs.
    """

    name: str
    labels: Mapping[str, str]
    namespace: str = MONITORING


class Place(Enum):
    """Where pods connect to, or from where, that is no part of the stack."""

    PEOPLE = auto()  # through load balancers, or ports of nodes
    APPLICATION = auto()  # each pod of its namespace
    OTHER_NAMESPACES = auto()  # each pod of any but the stack's own
    NODES = auto()
    API_SERVER = auto()
    OUTSIDE = auto()  # mail, Slack, AWS
    DNS = auto()


def _of(name: str, instance: str | None = None) -> Part:
    return Part(name=name, labels={_NAME: name, **({_INSTANCE: instance} if instance else {})})


def _elasticsearch(cluster: str) -> Part:
    return Part(name=cluster, labels={"elasticsearch.k8s.elastic.co/cluster-name": cluster})


def _exporter(cluster: str) -> Part:
    return Part(name=f"{cluster}-exporter", labels={_NAME: "elasticsearch-exporter", _INSTANCE: cluster})


PROMETHEUS = Part(name="prometheus", labels=web.PROMETHEUS.selector)
KUBE_STATE_METRICS = _of("kube-state-metrics", "prometheus")
ALERTMANAGER = Part(name="alertmanager", labels=web.ALERTMANAGER.selector)
GRAFANA = Part(name="grafana", labels=web.GRAFANA.selector)

ELASTIC_OPERATOR = _of("elastic-operator")
LOGS, TRACES = _elasticsearch("mangakai-logs"), _elasticsearch("mangakai-traces")
LOGS_EXPORTER, TRACES_EXPORTER = _exporter("mangakai-logs"), _exporter("mangakai-traces")

KIBANA_PODS = Part(name="kibana", labels=web.KIBANA.selector)
LOG_INDEX, KUBERNETES_EVENTS = _of("log-index"), _of("kubernetes-events")
LOGSTASH = Part(name="logstash", labels={"logstash.k8s.elastic.co/name": "logstash"})
FILEBEAT = Part(name="filebeat", labels={"beat.k8s.elastic.co/name": "filebeat"}, namespace=AGENTS)

JAEGER_OPERATOR = _of("jaeger-operator")
TRACES_AWAITED = _of("mangakai-traces-awaited")
JAEGER_COLLECTOR = _of("mangakai-jaeger-collector")
JAEGER_QUERY = Part(name="mangakai-jaeger-query", labels=web.JAEGER.selector)
JAEGER_INDEX_CLEANER = _of("mangakai-jaeger-es-index-cleaner")

BACKUP_PODS, BACKUP_SET_UP = _of(BACKUP), _of("backup-set-up")
