"""Volume claims. How full their volumes are, Prometheus knows: its alert VolumeFilling is among the firing ones."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from operations.cluster import Object

from .finding import Finding, Severity, created, subject
from .workloads import GRACE


def claims(
    items: Sequence[Object], classes: Mapping[str, str], pods: Sequence[Object], now: datetime
) -> Iterator[Finding]:
    """Find claims without a volume.

    Args:
        items: the claims of a namespace.
        classes: the cluster's StorageClasses, with when each binds.
        pods: of the namespace: a class may wait for the first that uses a claim.
        now: the time.
    """
    volumes = [volume for pod in pods for volume in pod["spec"].get("volumes", [])]
    used = {volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume}
    for claim in items:
        name, phase = claim["metadata"]["name"], claim["status"].get("phase")
        kind = claim["spec"].get("storageClassName")
        step, since = f"kubectl -n {claim['metadata']['namespace']} describe pvc {name}", created(claim)
        waits = classes.get(kind) == "WaitForFirstConsumer" and name not in used
        if phase == "Lost":
            what, cause = "has lost its volume", f"volume {claim['spec'].get('volumeName')} was removed"
        elif phase != "Pending" or waits:
            continue
        elif not kind:
            what, cause = "is not bound", "it names no StorageClass, and no volume that is there fits it"
        elif kind not in classes:
            what, cause = "is not bound", f"there is no StorageClass {kind}"
            step = f"kubectl get storageclass; then correct it in the claim {name}"
        elif now - since > GRACE:
            what, cause = "is not bound", f"the driver of StorageClass {kind} made no volume: quota, rights or zone"
        else:
            continue
        yield Finding(Severity.CRITICAL, subject("volume claim", claim), what, since, cause, step, "pod-not-ready")
