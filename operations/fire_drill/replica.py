"""One Alertmanager of several: what it is asked, what it has counted, and what its log says of a receiver."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from components.foundation.names import MONITORING
from components.foundation.web_interfaces import ALERTMANAGER
from operations.cluster import Cluster, Object, Unreadable
from operations.troubleshoot.finding import scrub

_COUNTER = re.compile(r"^alertmanager_(notifications?\w*)_total\{(.*)\} (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ERROR = re.compile(r' err=("(?:[^"\\]|\\.)*"|\S+)')


class Replica(Protocol):
    """An Alertmanager, however it is reached."""

    name: str

    def ask(self, path: str, body: str = "") -> tuple[int, str]:
        """Return the status and the text of a GET, or of a POST of `body`."""

    def log(self, since: datetime) -> str:
        """Return what it has logged."""


class Pod:
    """An Alertmanager in a pod.

    Args:
        cluster: its API server, the way to it.
        pod: which.
        login: the header Authorization.
    """

    def __init__(self, cluster: Cluster, pod: Object, login: str) -> None:
        self.name: str = pod["metadata"]["name"]
        self._cluster, self._pod, self._login = cluster, pod, login

    def ask(self, path: str, body: str = "") -> tuple[int, str]:
        """Return the status and the text of a GET, or of a POST of `body`, through a port-forward."""
        return self._cluster.ask(self._pod, ALERTMANAGER.port, path, self._login, body)

    def log(self, since: datetime) -> str:
        """Return what its container has logged."""
        path = f"/api/v1/namespaces/{MONITORING}/pods/{self.name}/log"
        return self._cluster.text(path, container="alertmanager", sinceTime=f"{since:%Y-%m-%dT%H:%M:%SZ}")


@dataclass(frozen=True)
class Count:
    """What an Alertmanager has counted of one way to one receiver; a notification is tried again with each request."""

    requests: int = 0
    failed_requests: int = 0
    failed: int = 0

    @property
    def arrived(self) -> int:
        """Return how many messages were taken."""
        return self.requests - self.failed_requests

    def since(self, before: "Count") -> "Count":
        """Return what came since; a counter that is less than it was began anew."""
        if self.requests < before.requests or self.failed < before.failed:
            return self
        requests, failed_requests = self.requests - before.requests, self.failed_requests - before.failed_requests
        return Count(requests, failed_requests, self.failed - before.failed)


def told(replica: Replica, path: str, body: str = "") -> str:
    """Return what an Alertmanager answers.

    Raises:
        Unreadable: it does not, or refuses.
    """
    status, text = replica.ask(path, body)
    if status != 200:
        step = f"kubectl -n {MONITORING} logs {replica.name} -c alertmanager --tail=50"
        raise Unreadable(f"{replica.name} answers {status} to {path.partition('?')[0]}: {scrub(text.strip())}", step)
    return text


def counts(replica: Replica) -> dict[tuple[str, str], Count]:
    """Return what was counted, by integration and receiver: "" where the metrics do not name receivers.

    They do with `--enable-feature=receiver-name-in-metrics` (featurecontrol of Alertmanager 0.34).
    """
    found: dict[tuple[str, str], dict[str, int]] = {}
    for name, labels, value in _COUNTER.findall(told(replica, "/metrics")):
        of = dict(_LABEL.findall(labels))
        if "integration" in of:
            count = found.setdefault((of["integration"], of.get("receiver_name", "")), {})
            count[name] = count.get(name, 0) + int(float(value))  # of failures, by their reasons
    return {key: _count(names) for key, names in found.items()}


def _count(names: Mapping[str, int]) -> Count:
    return Count(
        names.get("notification_requests", 0),
        names.get("notification_requests_failed", 0),
        names.get("notifications_failed", 0),
    )


def error(replica: Replica, receiver: str, integration: str, since: datetime) -> str:
    """Return the last error that the log has about one way to a receiver, "" where it has none."""
    tried = re.compile(rf' receiver="?{re.escape(receiver)}"? integration={integration}\[\d+\] ')
    given_up = re.compile(rf"{re.escape(receiver)}/{integration}\[\d+\]: (?:notify retry canceled [^:]*: )?(.*)")
    last = ""
    for line in replica.log(since).splitlines():
        found = _ERROR.search(line)
        if not found:
            continue
        text = _unquoted(found[1])
        if tried.search(line):
            last = text
        elif ended := given_up.search(text):
            last = ended[1]
    return scrub(" ".join(last.split()))


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(text)) if text.startswith('"') else text
    except ValueError:  # Go escapes what JSON does not
        return text.strip('"')


def suppressed(replica: Replica, mark: str, receiver: str) -> str:
    """Return what keeps the alerts with a mark from a receiver, "" where nothing does.

    Alertmanager knows of intervals once it would have sent something, of silences and inhibition at once.
    """
    groups: list[dict[str, Any]] = json.loads(told(replica, f"/api/v2/alerts/groups?filter=fire_drill%3D{mark}"))
    for group in groups:
        if group["receiver"]["name"] != receiver:
            continue
        for alert in group["alerts"]:
            status = alert["status"]
            if status["silencedBy"]:
                return f"silenced by {_silence(replica, status['silencedBy'][0])}"
            if status["inhibitedBy"]:
                return "inhibited by another alert, by inhibit_rules"
            if status["mutedBy"]:
                return f"muted by the interval {', '.join(status['mutedBy'])}"
    return ""


def _silence(replica: Replica, name: str) -> str:
    silence = json.loads(told(replica, f"/api/v2/silence/{name}"))
    return f"{silence['createdBy'] or 'somebody'} until {silence['endsAt'][:16]}: {silence['comment']} ({name})"
