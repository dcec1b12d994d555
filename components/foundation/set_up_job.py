"""A Job of ours, which sets something up once, and again under another name where what it does has changed."""

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi_kubernetes import batch

from .metadata import metadata

# renovate: datasource=docker depName=python
IMAGE = "python:3.13.9-slim"


def set_up_job(
    resource_name: str,
    name: pulumi.Input[str],
    component: str,
    namespace: str,
    pod: Mapping[str, Any],
    timeout_seconds: int,
    opts: pulumi.ResourceOptions,
) -> batch.v1.Job:
    """Return the Job. One that failed is made anew by the next `up`, which else would find it failed for ever.

    Args:
        resource_name: in Pulumi, and the label of the pod.
        name: of the Job: another one where what it does is another.
        component: the part of the system.
        namespace: of the Job.
        pod: the spec of its pod, which tries again and again while what it needs starts.
        timeout_seconds: how long that may take.
        opts: with the parent, and what must be there before.
    """
    return batch.v1.Job(
        resource_name,
        metadata=metadata(name, component, namespace, annotations={"pulumi.com/replaceUnready": "true"}),
        spec={
            "backoffLimit": 10,
            "activeDeadlineSeconds": timeout_seconds,
            "template": {
                "metadata": {"labels": {"app.kubernetes.io/name": resource_name}},
                # Failed pods stay until the Job goes, with their logs.
                "spec": {"restartPolicy": "Never", **pod},
            },
        },
        opts=opts,
    )
