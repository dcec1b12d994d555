"""Findings from what Elastic's and Jaeger's operators say of what they run."""

from collections.abc import Iterator, Sequence

from components.foundation.elastic_status import refusal
from operations.cluster import Object

from .finding import Finding, Severity, subject, timestamp

# By what kubectl calls them: what the API calls them, and their group.
KINDS = {
    "elasticsearch": ("elasticsearches", "elasticsearch.k8s.elastic.co/v1"),
    "kibana": ("kibanas", "kibana.k8s.elastic.co/v1"),
    "logstash": ("logstashes", "logstash.k8s.elastic.co/v1alpha1"),
    "beat": ("beats", "beat.k8s.elastic.co/v1beta1"),
    "jaeger": ("jaegers", "jaegertracing.io/v1"),
}
_CAUSES = {
    "red": "data or pods are missing: a node is down, or its volume is full",
    "yellow": "it works with less than it wants: copies of shards or pods are missing",
    "unknown": "its operator gets no answer from it: it is starting, or nothing runs there (make up: always)",
}


def elastic(kind: str, items: Sequence[Object]) -> Iterator[Finding]:
    """Find what is not green, and what its operator refuses to make of it."""
    for item in items:
        if refused := refusal(item):
            what = f"its operator does not do what the last update asked: {refused['message']}"
            step = "set back what it refuses, then: pulumi up (docs/changes.md)"
            since = timestamp(refused.get("lastTransitionTime"))
            yield Finding(Severity.WARNING, subject(kind, item), what, since, "", step)
        status, spec = item.get("status", {}), item["spec"]
        health, version = status.get("health") or "unknown", status.get("version") or spec.get("version")
        if health == "green":
            yield Finding(Severity.INFO, kind, f"{item['metadata']['name']}: {version}, green")
            continue
        severity = Severity.CRITICAL if health == "red" else Severity.WARNING
        phase = f" (phase {status['phase']})" if "phase" in status else ""
        reachable = [one for one in status.get("conditions", []) if one["type"] == "ElasticsearchIsReachable"]
        since = timestamp(reachable[0].get("lastTransitionTime")) if reachable else None
        step = f"kubectl -n {item['metadata']['namespace']} describe {kind} {item['metadata']['name']}"
        cause = _CAUSES.get(health, "")
        # The alerts tell the same of Elasticsearch.
        page = f"elasticsearch-{health}" if kind == "elasticsearch" and health in ("red", "yellow") else ""
        yield Finding(severity, subject(kind, item), f"health is {health}{phase}", since, cause, step, runbook=page)


def jaeger(items: Sequence[Object]) -> Iterator[Finding]:
    """Find what Jaeger's operator could not make."""
    for item in items:
        phase = item.get("status", {}).get("phase") or "not seen by its operator"
        if phase == "Running":
            yield Finding(Severity.INFO, "jaeger", f"{item['metadata']['name']}: Running")
            continue
        namespace = item["metadata"]["namespace"]
        step = f"kubectl -n {namespace} logs deployment/jaeger-operator --tail=50"
        cause = "its operator does not run, or the storage is not there"
        what = f"is {phase}"
        yield Finding(
            Severity.CRITICAL, subject("jaeger", item), what, None, cause, step, runbook="jaeger-not-saving-spans"
        )
