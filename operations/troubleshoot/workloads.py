"""Pods, Jobs, and what they use."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from kubernetes.utils.quantity import parse_quantity

from operations.cluster import Object

from .finding import Finding, Severity, created, subject, timestamp

GRACE = timedelta(minutes=2)
_LATELY = timedelta(hours=1)
_MOST = 3
_EXIT_CODES = {
    126: "its command may not be executed",
    127: "its command is not in the image",
    137: "it was killed: by its liveness probe, or with its node",
    139: "it crashed inside native code",
}
# Why a container does not start, and where to look.
_IMAGE = (
    "the image's name or tag is wrong, or the registry refuses the login",
    "check image {image}, then: {describe}",
)
_CONFIG = (
    "a ConfigMap, a Secret or a key of one is missing",
    "{describe}; what there is: kubectl -n {namespace} get configmaps,secrets",
)
# The kubelet gives it the reason of a missing ConfigMap, too.
_USER = (
    "its image runs as a user that the pod does not allow",
    "{describe}; give the container a runAsUser, as a number",
)
_WAITING = {
    "ErrImagePull": _IMAGE,
    "ImagePullBackOff": _IMAGE,
    "InvalidImageName": _IMAGE,
    "CreateContainerConfigError": _CONFIG,
    "CreateContainerError": ("the node cannot make the container", "{describe}"),
    "RunContainerError": ("the node cannot start the container", "{describe}"),
}


def pods(items: Sequence[Object], now: datetime) -> Iterator[Finding]:
    """Find pods that do not run as they should. Finished ones are none (D-178); Jobs speak for their own."""
    for pod in items:
        phase = pod["status"].get("phase")
        if phase == "Succeeded" or (phase == "Failed" and _owner(pod).startswith("Job/")):
            continue
        yield from _pod(pod, now)


def _pod(pod: Object, now: datetime) -> Iterator[Finding]:
    name, describe, status = subject("pod", pod), _describe("pod", pod), pod["status"]
    conditions = {condition["type"]: condition for condition in status.get("conditions", [])}
    scheduled, ready = conditions.get("PodScheduled", {}), conditions.get("Ready", {})
    since = timestamp(ready.get("lastTransitionTime")) or created(pod)
    if removed := timestamp(pod["metadata"].get("deletionTimestamp")):
        if now - removed > GRACE:
            cause = "its node is gone, or a finalizer holds it"
            yield Finding(Severity.WARNING, name, "is being removed and stays", removed, cause, describe)
    elif status.get("phase") == "Failed":
        what = f"has failed: {status.get('reason', 'its containers ended')}"
        yield Finding(Severity.WARNING, name, what, since, status.get("message", ""), describe)
    elif scheduled.get("status") == "False":
        since = timestamp(scheduled.get("lastTransitionTime")) or since
        cause = scheduled.get("message", "")
        step = f"kubectl -n {pod['metadata']['namespace']} get pvc" if "PersistentVolumeClaim" in cause else describe
        yield Finding(Severity.CRITICAL, name, "is pending: no node takes it", since, cause, step, "pod-not-ready")
    else:
        found = [each for container in _containers(pod) for each in _container(pod, container, since, now)]
        yield from found
        if not found and ready.get("status") != "True" and now - since > GRACE:
            waiting = [one["state"]["waiting"] for one in _containers(pod) if "waiting" in one.get("state", {})]
            cause = ", ".join(one["reason"] for one in waiting) or "its readiness probe fails"
            yield Finding(Severity.WARNING, name, "is not ready", since, cause, describe, "pod-not-ready")


def _container(pod: Object, container: Object, since: datetime, now: datetime) -> Iterator[Finding]:
    name, what = subject("pod", pod), f"container {container['name']}"
    state, restarts = container.get("state", {}), container.get("restartCount", 0)
    waiting = state.get("waiting", {})
    reason = waiting.get("reason", "")
    if reason in _WAITING:
        cause, step = _USER if "runAsNonRoot" in waiting.get("message", "") else _WAITING[reason]
        namespace = pod["metadata"]["namespace"]
        step = step.format(describe=_describe("pod", pod), namespace=namespace, image=container.get("image", ""))
        cause = f"{cause}: {waiting['message']}" if waiting.get("message") else cause
        yield Finding(Severity.CRITICAL, name, f"{what} does not start: {reason}", since, cause, step, "pod-not-ready")
        return
    death = _death(container)
    ended = timestamp(death.get("finishedAt"))
    crashes = is_crashed(container)
    if not crashes and (ended is None or not restarts or now - ended > _LATELY):
        return
    code = death.get("exitCode", 0)
    told = f"{death.get('reason', 'Error')}, exit code {code}, restarts: {restarts}"
    if is_oom := death.get("reason") == "OOMKilled":
        cause, runbook = "it needs more memory than its limit", "container-oom-killed"
    else:
        cause, runbook = _EXIT_CODES.get(code, "its last lines say it"), "pod-crash-looping"
    step = f"kubectl -n {pod['metadata']['namespace']} logs {pod['metadata']['name']} -c {container['name']} --tail=100"
    step = _describe("pod", pod) if is_oom else step + (" --previous" if restarts else "")
    severity, verb = (Severity.CRITICAL, "crashes") if crashes else (Severity.WARNING, "was restarted")
    yield Finding(severity, name, f"{what} {verb}: {told}", since if crashes else ended, cause, step, runbook)


def is_crashed(container: Object) -> bool:
    """Return whether a container is down because its program ended; its phase may well be Running (D-178)."""
    state = container.get("state", {})
    return bool(
        state.get("waiting", {}).get("reason") == "CrashLoopBackOff"
        or state.get("terminated", {}).get("exitCode", 0) != 0
    )


def is_ready(pod: Object) -> bool:
    """Return whether a pod takes requests."""
    return "Ready" in _conditions(pod)


def crashed(items: Sequence[Object]) -> list[tuple[Object, Object]]:
    """Return the first crashed containers, each with its pod."""
    return [(pod, one) for pod in items for one in _containers(pod) if is_crashed(one)][:_MOST]


def jobs(items: Sequence[Object]) -> Iterator[Finding]:
    """Find Jobs that failed, but those after which another of the same CronJob succeeded."""
    succeeded: dict[str, datetime] = {}
    for job in items:
        if "Complete" in _conditions(job) and (owner := _owner(job)):
            succeeded[owner] = max(created(job), succeeded.get(owner, created(job)))
    for job in items:
        failed = _conditions(job).get("Failed")
        if failed is None or (_owner(job) in succeeded and created(job) < succeeded[_owner(job)]):
            continue
        step = f"kubectl -n {job['metadata']['namespace']} logs job/{job['metadata']['name']} --tail=100"
        what, since = f"has failed: {failed.get('reason', '')}", timestamp(failed.get("lastTransitionTime"))
        yield Finding(Severity.WARNING, subject("job", job), what, since, failed.get("message", ""), step)


def usage(namespace: str, metrics: Sequence[Object]) -> Iterator[Finding]:
    """Tell which pods use the most; what is too much, the alerts say."""
    totals: dict[str, Object] = {}
    for pod in metrics:
        used = [container["usage"] for container in pod["containers"]]
        totals[pod["metadata"]["name"]] = {kind: sum(_number(one[kind]) for one in used) for kind in ("cpu", "memory")}
    for name, total in sorted(totals.items(), key=lambda item: -item[1]["memory"])[:_MOST]:
        what = f"{name}: {total['memory'] / 2**20:.0f} MiB, {total['cpu'] * 1000:.0f}m CPU"
        yield Finding(Severity.INFO, f"usage in {namespace}", what)


def _number(quantity: str) -> Decimal:
    number: Decimal = parse_quantity(quantity)  # type: ignore[no-untyped-call]
    return number


def _containers(pod: Object) -> list[Object]:
    return [*pod["status"].get("initContainerStatuses", []), *pod["status"].get("containerStatuses", [])]


def _death(container: Object) -> Object:
    state: Object = container.get("state", {}).get("terminated") or container.get("lastState", {}).get("terminated", {})
    return state


def _conditions(item: Object) -> dict[str, Object]:
    """Return the conditions that hold, by their types."""
    held = item.get("status", {}).get("conditions") or []
    return {condition["type"]: condition for condition in held if condition["status"] == "True"}


def _owner(item: Object) -> str:
    owners = item["metadata"].get("ownerReferences", [])
    return f"{owners[0]['kind']}/{owners[0]['name']}" if owners else ""


def _describe(kind: str, item: Object) -> str:
    return f"kubectl -n {item['metadata']['namespace']} describe {kind} {item['metadata']['name']}"
