"""Helm's records as a killed Helm leaves them, and its command line on the sandbox.

That it really leaves them so is what tests/sandbox/test_killed_releases.py proves, of one of each kind.
"""

from pathlib import Path
from typing import Any

from kubernetes import client

from components.foundation import helm_records
from components.foundation.chart_pins import archive
from components.foundation.helm_records import Record
from operations.helm import helm
from tests.sandbox.conftest import Api, Project


def records(api: Api, release: str, namespace: str = "monitoring") -> list[Record]:
    """Return the records of a release, the last one last."""
    selector = helm_records.selector([release])
    items: list[Any] = api.core.list_namespaced_secret(namespace, label_selector=selector).items
    return sorted((Record.of(one.metadata.labels) for one in items), key=lambda one: one.revision)


def statuses(api: Api, release: str, namespace: str = "monitoring") -> list[str]:
    """Return the statuses of the records of a release, the last one last."""
    return [one.status for one in records(api, release, namespace)]


def content(api: Api, record: Record, namespace: str = "monitoring") -> dict[str, Any]:
    """Return what Helm keeps of a revision."""
    secret: Any = api.core.read_namespaced_secret(record.secret, namespace)
    return helm_records.content(secret.data)


def begin(api: Api, release: str, status: str, namespace: str = "monitoring") -> None:
    """Write the record of a next revision, that of an upgrade or a rollback which was killed."""
    last = records(api, release, namespace)[-1]
    begun = Record(release, last.revision + 1, status, None)
    kept = content(api, last, namespace)
    kept |= {"version": begun.revision, "info": {**kept["info"], "status": status, "description": "Preparing upgrade"}}
    labels = {"owner": "helm", "name": release, "version": str(begun.revision), "status": status}
    body = client.V1Secret(
        metadata=client.V1ObjectMeta(name=begun.secret, labels={**labels, "createdAt": "1767225600"}),
        type="helm.sh/release.v1",
        data={"release": helm_records.packed(kept)},
    )
    api.core.create_namespaced_secret(namespace, body)


def leave(api: Api, release: str, status: str, namespace: str = "monitoring") -> None:
    """Let the last record of a release have a status, as one of which the uninstall was killed."""
    last = records(api, release, namespace)[-1]
    secret: Any = api.core.read_namespaced_secret(last.secret, namespace)
    patch = helm_records.change(secret.data, status, "Deletion in progress (or silently failed)")
    api.core.patch_namespaced_secret(last.secret, namespace, patch)


def forget(api: Api, release: str, namespace: str = "monitoring") -> None:
    """Remove all records of a release."""
    for record in records(api, release, namespace):
        api.core.delete_namespaced_secret(record.secret, namespace)


def by_hand(project: Project, *arguments: str) -> str:
    """Return what Helm says, called by hand with the project's charts."""
    return helm(*arguments, environment=project.environment("local"), root=project.folder)


def chart(project: Project, name: str) -> Path:
    """Return the archive of a chart."""
    return Path(archive(str(project.sandbox.directory / "charts"), name))
