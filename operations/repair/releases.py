"""The Releases of a stack of which Helm's records and Pulumi's state say different things: docs/repair.md."""

import http.client
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kubernetes import client as api
from kubernetes.client.exceptions import ApiException

from components.foundation import helm_records
from components.foundation.helm_records import Record
from components.foundation.names import RELEASES
from components.foundation.ownership import OWNER, owner

from .resources import Resource, have_updated, name

_NAMESPACE = "kubernetes:core/v1:Namespace"
_INTERRUPTED = "interrupted, and ended by make repair"


@dataclass(frozen=True)
class Findings:
    """What was done, and the Releases that Pulumi's state has and Helm does not, by their URN."""

    done: list[str]
    gone: list[str]


def repair(stack: str, resources: Sequence[Resource], core: api.CoreV1Api) -> Findings:
    """Let Helm's records and the state of a stack say the same, as far as that is done by these two.

    Args:
        stack: its name.
        resources: of its state, which are changed.
        core: the API of its cluster.

    Raises:
        ApiException: the cluster refuses.
        HTTPError: the cluster does not answer.
    """
    held = {name(one) for one in resources if one["type"] == _NAMESPACE}
    known = {name(one): one for one in resources if one["type"] == helm_records.RELEASE_TYPE and not one.get("delete")}
    found = Findings([], [])
    for namespace, ours in RELEASES.items():
        if not _is_of(stack, core, namespace, held):
            continue
        records = _records(core, namespace)
        for release in ours:
            revisions = records.get(release, [])
            if release not in known:
                # Where the state has lost everything, what runs well is left alone.
                lost = [one for one in revisions if namespace in held or one.status in helm_records.UNDER_WAY]
                found.done.extend(_remove(core, namespace, lost))
            elif revisions:
                found.done.extend(_continue(core, namespace, known[release], revisions[-1]))
            else:
                found.gone.append(known[release]["urn"])
    return found


def _is_of(stack: str, core: api.CoreV1Api, namespace: str, held: Collection[str]) -> bool:
    """Return whether a namespace is there and the stack's: by its owner, or where it has none by the stack's state."""
    try:
        annotations = core.read_namespace(namespace).metadata.annotations or {}  # type: ignore[union-attr]
    except ApiException as error:
        if error.status == http.client.NOT_FOUND:
            return False
        raise
    return annotations[OWNER] == owner(stack) if OWNER in annotations else namespace in held


def _records(core: api.CoreV1Api, namespace: str) -> dict[str, list[Record]]:
    """Return Helm's records by their release, the last one last."""
    items: list[Any] = core.list_namespaced_secret(namespace, label_selector=helm_records.selector()).items
    found: dict[str, list[Record]] = {}
    for one in sorted((Record.of(item.metadata.labels) for item in items), key=lambda record: record.revision):
        found.setdefault(one.release, []).append(one)
    return found


def _remove(core: api.CoreV1Api, namespace: str, records: Sequence[Record]) -> Iterator[str]:
    """Remove the records of a Release that Pulumi does not know: then an install takes up what is there."""
    for record in records:
        core.delete_namespaced_secret(record.secret, namespace)
        yield f"removed the Helm record {record} in {namespace}"


def _continue(core: api.CoreV1Api, namespace: str, release: Resource, last: Record) -> Iterator[str]:
    """Let the next `up` upgrade a Release whose last revision is not that of the state, or did not end well."""
    if last.status not in helm_records.ENDED:
        secret: Any = core.read_namespaced_secret(last.secret, namespace)
        # As Helm does itself with one that it could not end.
        patch = helm_records.change(secret.data, helm_records.FAILED, f"{last.status}, {_INTERRUPTED}")
        core.patch_namespaced_secret(last.secret, namespace, patch)
        yield f"ended the Helm record {last} in {namespace}: failed"
    revision = (release.get("outputs", {}).get("status") or {}).get("revision")
    if (last.status != helm_records.DEPLOYED or revision != last.revision) and have_updated(
        release, f"Helm's last revision is {last}"
    ):
        yield f"Release {last.release} is at {last}, and Pulumi's state at v{revision}: the next up upgrades it"
