"""Why pods are not ready, in words."""

from collections.abc import Iterable
from typing import Any

from kubernetes import client as api
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

_EVENTS = 5


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
