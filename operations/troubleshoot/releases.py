"""Helm's Releases, by the labels of its Secrets: what they hold is never read."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from components.foundation import helm_records
from operations.cluster import Object

from .finding import Finding, Severity


def releases(
    records: Sequence[Object], versions: Mapping[str, str], stack: str, timeout: float, now: datetime
) -> Iterator[Finding]:
    """Find Releases that are not deployed, and tell the versions of the others.

    Args:
        records: the metadata of Helm's Secrets, one for each revision.
        versions: of charts and applications, by Release.
        stack: the stack's name.
        timeout: the seconds that an install or upgrade may take.
        now: the time.
    """
    latest = helm_records.latest(helm_records.Record.of(record["metadata"]["labels"]) for record in records)
    for name, record in sorted(latest.items()):
        status, revision, since = record.status, f"revision {record.revision}", record.modified
        if status == helm_records.DEPLOYED:
            yield Finding(Severity.INFO, "release", f"{name}: {versions.get(name, 'deployed')}, {revision}", since)
        elif status in helm_records.UNDER_WAY and since and (now - since).total_seconds() < timeout:
            yield Finding(Severity.INFO, "release", f"{name}: {status}, {revision}: an update is under way", since)
        elif status != helm_records.FAILED:
            what, cause = f"is {status} ({revision})", "an update was killed, or the API server was away when it ended"
            step = f"make repair STACK={stack}, then: pulumi up --stack {stack}"
            yield Finding(Severity.WARNING, f"release {name}", what, since, cause, step)
        else:
            what, cause = f"is {status} ({revision})", "its pods did not become ready in time, or an object was refused"
            step = f"mend what is wrong with its pods, then: pulumi up --stack {stack}"
            yield Finding(Severity.WARNING, f"release {name}", what, since, cause, step)


def versions(workloads: Sequence[Object]) -> dict[str, str]:
    """Return the chart and the application's version by Release, from the labels of what has the Release's name."""
    found = {}
    for item in workloads:
        labels = item["metadata"].get("labels", {})
        parts = [labels.get("helm.sh/chart"), labels.get("app.kubernetes.io/version")]
        if any(parts):
            found[item["metadata"]["name"]] = ", application ".join(filter(None, parts))
    return found
