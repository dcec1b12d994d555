"""The web interfaces of a stack, asked in its pods: which of them are ready, and by which login."""

import base64

from components.foundation.names import MONITORING, WEB_AUTH
from components.foundation.web_interfaces import WebInterface
from components.settings import Settings
from operations.cluster import Cluster, Object, Unreadable

from .workloads import is_ready


def ready_pods(cluster: Cluster, interface: WebInterface) -> list[Object]:
    """Return the pods that serve an interface.

    Raises:
        Unreadable: none is ready, or the cluster does not answer.
    """
    labels = ",".join(f"{key}={value}" for key, value in interface.selector.items())
    pods = [pod for pod in cluster.items("pods", MONITORING, labelSelector=labels) if is_ready(pod)]
    if not pods:
        raise Unreadable("none of its pods is ready", f"kubectl -n {MONITORING} describe pods -l {labels}")
    return pods


def login(cluster: Cluster, settings: Settings) -> str:
    """Return the header Authorization that Prometheus and Alertmanager take, "" where they ask for none."""
    if not settings.exposure.authentication:
        return ""
    data = cluster.get(f"/api/v1/namespaces/{MONITORING}/secrets/{WEB_AUTH}")["data"]
    pair = b":".join(base64.b64decode(data[key]) for key in ("username", "password"))
    return f"Basic {base64.b64encode(pair).decode()}"
