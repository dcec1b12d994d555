"""Recovery of a Helm release that does not become ready: the reasons in words, and the removal of pods in its way."""

# Without it the annotations alone would import the client's models, which takes longer than all else at a start.
from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from kubernetes import client as api
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from . import helm_records

_EVENTS = 5
_IMMUTABLE = re.compile(r'StatefulSet\.apps "([^"]+)" is invalid: spec: Forbidden')
# Helm's words where an install or upgrade that was cut off is in the way.
_CUT_OFF = re.compile(r"another operation \(|cannot re-use a name that is still in use|has no deployed releases")


def explain(client: api.ApiClient, release: str, namespace: str) -> list[str]:
    """Return lines about the pods of a Helm release that are not ready, with their reasons and the last events.

    Args:
        client: of the cluster.
        release: the Helm release.
        namespace: of the release.
    """
    core = api.CoreV1Api(client)
    try:
        pods = core.list_namespaced_pod(namespace, label_selector=f"app.kubernetes.io/instance={release}").items
        events = core.list_namespaced_event(namespace, field_selector="type=Warning").items
    except (ApiException, HTTPError) as error:
        return [f"release {release}: its pods cannot be read: {error}"]
    waiting = [line for pod in pods for line in _reasons(pod)]
    if not pods:
        waiting = [f"release {release}: no pod was created in namespace {namespace}"]
    return [*waiting, *_last(events, release)]


def remedy(errors: Iterable[str], release: str, namespace: str, stack: str) -> list[str]:
    """Return what to do about each StatefulSet that Kubernetes does not change in place, or about what was cut off.

    Args:
        errors: of the failed install or upgrade.
        release: the Helm release.
        namespace: of the release.
        stack: which it is of.
    """
    every = list(errors)
    names = sorted({name for error in every for name in _IMMUTABLE.findall(error)})
    lines = [f"release {release}: {how_to_recreate(name, namespace)}" for name in names]
    if any(map(_CUT_OFF.search, every)):
        lines.append(
            f"release {release}: an update of it was cut off, and Helm could not write down how it ended: "
            f"make repair STACK={stack}, then pulumi up"
        )
    return lines


def how_to_recreate(stateful_set: str, namespace: str) -> str:
    """Return how to change what Kubernetes does not change in a StatefulSet that is there."""
    return (
        f"StatefulSet {stateful_set} has to be made anew for this, around its pods: "
        f"kubectl -n {namespace} delete statefulset {stateful_set} --cascade=orphan, then pulumi up. "
        "A larger volume: make grow instead (docs/changes.md)"
    )


def remove_stuck_pods(client: api.ApiClient, release: str, namespace: str) -> list[str]:
    """Remove what would keep the next upgrade of a failed release waiting, and return a line for each such thing.

    A StatefulSet does not replace a pod that never became ready, not even by a right one. So it goes without its other
    pods, and the upgrade makes it anew around them; volumes stay.
    Source: "Forced rollback" in the documentation of StatefulSets.

    Args:
        client: of the cluster.
        release: the Helm release, about to be upgraded.
        namespace: of the release.
    """
    core, apps = api.CoreV1Api(client), api.AppsV1Api(client)
    if not _has_failed(core, release, namespace):
        return []
    selector = f"app.kubernetes.io/instance={release}"
    pods: list[Any] = core.list_namespaced_pod(namespace, label_selector=selector).items
    stateful_sets: list[Any] = apps.list_namespaced_stateful_set(namespace, label_selector=selector).items
    removed = []
    for stateful_set in stateful_sets:
        uid = stateful_set.metadata.uid
        owned = [pod for pod in pods if any(owner.uid == uid for owner in pod.metadata.owner_references or [])]
        stuck = [pod.metadata.name for pod in owned if any(_reasons(pod))]
        if stuck:
            apps.delete_namespaced_stateful_set(stateful_set.metadata.name, namespace, propagation_policy="Orphan")
            for pod in stuck:
                core.delete_namespaced_pod(pod, namespace)
            removed.append(f"release {release} failed before: {', '.join(stuck)} removed, so that this try can go on")
    return removed


def _has_failed(core: api.CoreV1Api, release: str, namespace: str) -> bool:
    """Return whether the last install or upgrade that Helm remembers has failed."""
    found: list[Any] = core.list_namespaced_secret(namespace, label_selector=helm_records.selector([release])).items
    last = helm_records.latest(helm_records.Record.of(one.metadata.labels) for one in found).get(release)
    return last is not None and last.status == helm_records.FAILED


def _reasons(pod: Any) -> Iterable[str]:
    conditions = {condition.type: condition for condition in pod.status.conditions or []}
    if getattr(conditions.get("Ready"), "status", "False") == "True":
        return
    scheduled = conditions.get("PodScheduled")
    if scheduled is not None and scheduled.status == "False":
        yield f"pod {pod.metadata.name}: not scheduled: {scheduled.message}"
        return
    statuses = [*(pod.status.init_container_statuses or []), *(pod.status.container_statuses or [])]
    for status in statuses:
        state = status.state.waiting or status.state.terminated
        if state is not None and not status.ready:
            message = f": {state.message}" if state.message else ""
            yield f"pod {pod.metadata.name}: container {status.name}: {state.reason}{message}"
    if not any(status.state.waiting or status.state.terminated for status in statuses):
        yield f"pod {pod.metadata.name}: phase {pod.status.phase}, not ready"


def _last(events: list[Any], release: str) -> list[str]:
    ours = [event for event in events if event.involved_object.name.startswith(release)]
    ours.sort(key=lambda event: event.metadata.creation_timestamp)
    return [
        f"event {event.involved_object.kind}/{event.involved_object.name}: {event.reason}: {event.message}"
        for event in ours[-_EVENTS:]
    ]
