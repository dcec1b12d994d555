"""Rules over a pod template."""

import re
from collections.abc import Iterator
from typing import Any

from .finding import Broken
from .images import IMAGES, Image, repository
from .signals import why_not_ending
from .templates import Container, Object, Template


def broken_by(template: Template) -> Iterator[Broken]:
    """Yield every rule that a pod template breaks."""
    yield from _volume_group(template)
    if template.recreates > 1:
        yield Broken(
            "stops-at-once",
            template.where,
            f"strategy Recreate stops all {template.recreates} pods at each change",
            "Set the strategy to RollingUpdate; for Jaeger, in the collector and the query of the custom resource",
        )
    for container in template.containers():
        yield from _image(container)
        yield from _user(container, template.pod)
        yield from _requests(container)
        if why := why_not_ending(container, template.pod):
            yield Broken(
                "ends-only-by-sigkill",
                container.where,
                why,
                "Handle SIGTERM, or exec a program that does; then list it with its test in "
                "development/workload_rules/signals.py",
            )


def _published(container: Container) -> Image | None:
    return IMAGES.get(repository(container.spec.get("image") or ""))


def _security(container: Container, pod: Object, field: str) -> Any:
    """Return a field of the security context as it counts: the container's before the pod's."""
    own = (container.spec.get("securityContext") or {}).get(field)
    return own if own is not None else (pod.get("securityContext") or {}).get(field)


def _image(container: Container) -> Iterator[Broken]:
    if _published(container) is None:
        yield Broken(
            "unknown-image",
            container.where,
            f"nobody has looked up which user {container.spec.get('image') or 'an image without a name'} runs as, "
            "and whether it ends on SIGTERM",
            "Read its Dockerfile and add it to development/workload_rules/images.py",
        )


def _user(container: Container, pod: Object) -> Iterator[Broken]:
    if not _security(container, pod, "runAsNonRoot"):
        return
    user, image = _security(container, pod, "runAsUser"), _published(container)
    if user is None and (image is None or image.is_provably_not_root):
        return  # an unknown image is a finding of its own
    if user is None and image is not None:
        published = "a user that nobody could find out" if image.user is None else f"USER {image.user or 'root'}"
        wrong = f"runAsNonRoot without runAsUser, and the image has {published}: a kubelet refuses all but a number"
    elif user == 0:
        wrong = "runAsNonRoot, and runAsUser is 0"
    else:
        return
    yield Broken("non-root-user", container.where, wrong, "Set runAsUser to a number that is not 0")


def _is_root(container: Container, pod: Object) -> bool:
    user, image = _security(container, pod, "runAsUser"), _published(container)
    return user == 0 if user is not None else image is not None and image.is_root


def _writes_claim(container: Container, template: Template) -> bool:
    mounts = container.spec.get("volumeMounts") or []
    return any(mount["name"] in template.claims and not mount.get("readOnly") for mount in mounts)


def _volume_group(template: Template) -> Iterator[Broken]:
    if (template.pod.get("securityContext") or {}).get("fsGroup") is not None:
        return
    writing = [container for container in template.containers() if _writes_claim(container, template)]
    if any(not container.runs_on and _is_root(container, template.pod) for container in writing):
        return  # one that may change the owner
    names = [container.spec["name"] for container in writing if not _is_root(container, template.pod)]
    if names:
        yield Broken(
            "volume-group",
            template.where,
            f"{', '.join(names)} cannot write a claim: a new EBS volume is root:root 0755, and the pod has no fsGroup",
            "Set fsGroup in the pod's securityContext; in Elastic's custom resources leave the securityContext out, "
            "since ECK sets fsGroup 1000 only where there is none",
        )


def _requests(container: Container) -> Iterator[Broken]:
    resources = container.spec.get("resources") or {}
    # A limit without a request is one.
    given = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    missing = [name for name in ("cpu", "memory") if not re.search("[1-9]", str(given.get(name) or ""))]
    if missing:
        yield Broken(
            "no-requests",
            container.where,
            f"no request for {' and '.join(missing)}: a pod without is evicted first, and squeezed out by others",
            "Set resources.requests",
        )
