"""The metadata of every object that is ours, not a chart's."""

from collections.abc import Mapping

import pulumi
from pulumi_kubernetes import meta


def metadata(
    name: pulumi.Input[str],
    component: str,
    namespace: pulumi.Input[str] | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, pulumi.Input[str]] | None = None,
) -> meta.v1.ObjectMetaArgs:
    """Return the metadata of an object that belongs to `component`, with the labels that Kubernetes recommends.

    Args:
        name: of the object.
        component: the part of the system.
        namespace: of the object; None for one of the cluster.
        labels: further ones.
        annotations: if any.
    """
    return meta.v1.ObjectMetaArgs(
        name=name,
        namespace=namespace,
        labels={
            "app.kubernetes.io/component": component,
            "app.kubernetes.io/part-of": "mangakai-monitoring",
            "app.kubernetes.io/managed-by": "pulumi",
            **(labels or {}),
        },
        annotations=dict(annotations) if annotations else None,
    )
