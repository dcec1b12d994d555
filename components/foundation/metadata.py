"""The metadata of every object that is ours, not a chart's."""

from collections.abc import Mapping

import pulumi
from pulumi_kubernetes import meta

from .ownership import OWNER, PART_OF, owner


def metadata(
    name: pulumi.Input[str],
    component: str,
    namespace: pulumi.Input[str] | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, pulumi.Input[str]] | None = None,
) -> meta.v1.ObjectMetaArgs:
    """Return the metadata of an object that belongs to `component`, with the labels that Kubernetes recommends.

    One of the whole cluster, as a Namespace is, names the stack that owns it.

    Args:
        name: of the object.
        component: the part of the system.
        namespace: of the object; None for one of the whole cluster.
        labels: further ones.
        annotations: if any.
    """
    return meta.v1.ObjectMetaArgs(
        name=name,
        namespace=namespace,
        labels={
            "app.kubernetes.io/component": component,
            **PART_OF,
            **(labels or {}),
        },
        annotations={**({OWNER: owner()} if namespace is None else {}), **(annotations or {})} or None,
    )
