"""The web interfaces that people open: the port of each, and the labels that its chart or operator documents."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class WebInterface:
    """Which pods serve it.

    Args:
        selector: their labels.
        port: of the pods, and of the load balancer where it has no domain.
        node_port: of the nodes, where there is no load balancer.
        tls: whether the pods themselves speak TLS.
    """

    selector: Mapping[str, str]
    port: int
    node_port: int
    tls: bool = False


def _of_chart(name: str, port: int, node_port: int) -> WebInterface:
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": name}
    return WebInterface(selector=labels, port=port, node_port=node_port)


PROMETHEUS = _of_chart("prometheus", 9090, 30090)
ALERTMANAGER = _of_chart("alertmanager", 9093, 30093)
GRAFANA = _of_chart("grafana", 3000, 30030)
KIBANA = WebInterface(
    selector={"common.k8s.elastic.co/type": "kibana", "kibana.k8s.elastic.co/name": "kibana"},
    port=5601,
    node_port=30056,
    tls=True,
)
JAEGER = WebInterface(
    selector={"app.kubernetes.io/name": "mangakai-jaeger-query", "app.kubernetes.io/component": "query"},
    port=16686,
    node_port=30166,
)

# In the order in which they are made.
WEB_INTERFACES = {
    "prometheus": PROMETHEUS,
    "alertmanager": ALERTMANAGER,
    "grafana": GRAFANA,
    "kibana": KIBANA,
    "jaeger": JAEGER,
}
