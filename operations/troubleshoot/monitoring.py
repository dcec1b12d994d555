"""Findings from what Prometheus, Alertmanager and the application say themselves."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from operations.cluster import Object

from .finding import Finding, Severity, timestamp

RUNBOOKS = Path(__file__).parent.parent.parent / "docs" / "runbooks"
# What is asked of Prometheus; the thresholds of its alerts are in rules/.
TARGETS = "min by (job, namespace, pod, instance) (up) == 0"
NOTIFICATIONS = "sum by (integration) (increase(alertmanager_notifications_failed_total[1h])) > 0"
# By name: the metric, and the runbooks of one that is down and of one that nobody watches.
EXPORTERS = {
    "PostgreSQL": ("pg_up", "postgresql-down", "postgresql-unwatched"),
    "Redis": ("redis_up", "redis-down", "redis-unwatched"),
}
_MOST_TARGETS = 10

Sample = dict[str, Any]


def targets(samples: Sequence[Sample]) -> Iterator[Finding]:
    """Find targets that Prometheus cannot scrape."""
    for sample in samples[:_MOST_TARGETS]:
        labels = sample["metric"]
        namespace, pod = labels.get("namespace"), labels.get("pod")
        what, cause = f"{labels.get('instance')} cannot be scraped", "it is down, or a network policy is between"
        step = f"kubectl -n {namespace} describe pod {pod}" if pod else "Prometheus' page /targets has the error"
        subject = f"target {labels.get('job')}"
        yield Finding(Severity.WARNING, subject, what, None, cause, step, "target-down")


def exporter(name: str, samples: Sequence[Sample]) -> Iterator[Finding]:
    """Find a database or a Redis that does not answer its exporter, and one that nobody watches."""
    metric, down, unwatched = EXPORTERS[name]
    if not samples:
        what, cause = f"nobody knows: there is no {metric}", "its exporter is not there, or is not scraped"
        step = "see the findings about targets; which Service has it: scrape/"
        yield Finding(Severity.WARNING, name, what, None, cause, step, unwatched)
    elif any(float(sample["value"][1]) == 0 for sample in samples):
        what, cause = f"does not answer its exporter ({metric} is 0)", "it is down, or the exporter's login is wrong"
        step = f"docs/runbooks/{down}.md, step 1"
        yield Finding(Severity.CRITICAL, name, what, None, cause, step, down)


def notifications(samples: Sequence[Sample]) -> Iterator[Finding]:
    """Find ways to people that did not work in the last hour."""
    for sample in samples:
        integration = sample["metric"].get("integration")
        what = f"{float(sample['value'][1]):.0f} failed in the last hour"
        cause = "the relay or Slack refuses them: login, address or network"
        step = "kubectl -n monitoring logs alertmanager-0 -c alertmanager --tail=50"
        subject = f"notifications by {integration}"
        yield Finding(Severity.CRITICAL, subject, what, None, cause, step, "alertmanager-notifications-failing")


def alerts(items: Sequence[Object]) -> Iterator[Finding]:
    """Find firing alerts; that the Watchdog fires is as it should be."""
    if not any(item["labels"].get("alertname") == "Watchdog" for item in items):
        what, cause = (
            "does not fire: no alert reaches Alertmanager",
            "Prometheus is down, or does not find Alertmanager",
        )
        step = "kubectl -n monitoring logs prometheus-0 --all-containers --tail=50"
        yield Finding(Severity.CRITICAL, "alert Watchdog", what, None, cause, step, "watchdog")
    for item in items:
        labels, annotations = item["labels"], item["annotations"]
        if labels.get("severity") == "none":
            continue
        url = annotations.get("runbook_url", "")
        page = url.rstrip("/").rsplit("/", 1)[-1]
        runbook = page if page and (RUNBOOKS / f"{page}.md").exists() else ""
        where = labels.get("pod") or labels.get("persistentvolumeclaim") or labels.get("instance") or ""
        yield Finding(
            Severity.CRITICAL if labels.get("severity") == "critical" else Severity.WARNING,
            f"alert {labels.get('alertname')} {where}".strip(),
            annotations.get("description") or annotations.get("summary") or "fires",
            timestamp(item["startsAt"]),
            next_step=f"docs/runbooks/{runbook}.md, step 1" if runbook else url,
            runbook=runbook,
        )


def readiness(status: int, text: str) -> Iterator[Finding]:
    """Find what the backend's `/ready` says of its database and its Redis.

    The application asks them as it uses them (D-181), and tells nobody why one failed (D-182).
    """
    try:
        checks = json.loads(text)["checks"].items()
    except (ValueError, KeyError, TypeError, AttributeError):
        what, step = f"/ready answers {status}, and says nothing of database and Redis", "instrumentation/README.md"
        yield Finding(Severity.UNKNOWN, "backend", what, None, "it does not use the instrumentation", step)
        return
    for name, check in checks:
        if check.get("status") != "healthy":
            runbook = {"database": "postgresql-down", "redis": "redis-down"}.get(name, "pod-not-ready")
            what, cause = f"does not reach its {name}", "it is down, or its address, login or network is wrong"
            step = f"docs/runbooks/{runbook}.md, step 1; the backend's log says why"
            yield Finding(Severity.CRITICAL, "backend", what, None, cause, step, runbook)
