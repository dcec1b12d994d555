"""The volumes of a stack: the setting that says how large they are, and the StatefulSet that claims them."""

from dataclasses import dataclass
from typing import Any

from ..settings import Settings


@dataclass(frozen=True, kw_only=True)
class Volumes:
    """The volumes of one StatefulSet, which has one claim template.

    Args:
        setting: which says how large each is.
        size: what it says, as a Kubernetes quantity.
        stateful_set: its name.
        operated: whether Elastic's operator makes the StatefulSet: then it grows the volumes by itself.
    """

    setting: str
    size: str
    stateful_set: str
    operated: bool = False


def volumes(settings: Settings) -> list[Volumes]:
    """Return the volumes of a stack."""
    logs, traces = settings.logs, settings.traces
    return [
        Volumes(setting="prometheus.storage", size=settings.prometheus.storage, stateful_set="prometheus"),
        Volumes(setting="alertmanager.storage", size=settings.alertmanager.storage, stateful_set="alertmanager"),
        Volumes(setting="grafana.storage", size=settings.grafana.storage, stateful_set="grafana"),
        Volumes(
            setting="logs.elasticsearch.storage",
            size=logs.elasticsearch.storage,
            stateful_set="mangakai-logs-es-default",
            operated=True,
        ),
        Volumes(setting="logs.logstash.storage", size=logs.logstash.storage, stateful_set="logstash-ls", operated=True),
        Volumes(
            setting="traces.elasticsearch.storage",
            size=traces.elasticsearch.storage,
            stateful_set="mangakai-traces-es-default",
            operated=True,
        ),
    ]


def claimed(stateful_set: dict[str, Any]) -> tuple[str, str]:
    """Return the size and the StorageClass in the claim template of a StatefulSet."""
    (template,) = stateful_set["spec"]["volumeClaimTemplates"]
    spec = template["spec"]
    return str(spec["resources"]["requests"]["storage"]), str(spec.get("storageClassName") or "")
