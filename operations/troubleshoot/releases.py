"""Helm's Releases, by the labels of its Secrets: what they hold is never read."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from .finding import Finding, Object, Severity

_UNDER_WAY = ("pending-install", "pending-upgrade", "pending-rollback", "uninstalling")


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
    latest: dict[str, Object] = {}
    for labels in sorted((record["metadata"]["labels"] for record in records), key=lambda one: int(one["version"])):
        latest[labels["name"]] = labels
    for name, labels in sorted(latest.items()):
        status, revision = labels["status"], f"revision {labels['version']}"
        since = datetime.fromtimestamp(int(labels["modifiedAt"]), UTC) if "modifiedAt" in labels else None
        if status == "deployed":
            yield Finding(Severity.INFO, "release", f"{name}: {versions.get(name, 'deployed')}, {revision}", since)
        elif status in _UNDER_WAY and since and (now - since).total_seconds() < timeout:
            yield Finding(Severity.INFO, "release", f"{name}: {status}, {revision}: an update is under way", since)
        elif status in _UNDER_WAY:
            what, cause = f"is {status} ({revision})", "`pulumi up` was killed while it waited"
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
