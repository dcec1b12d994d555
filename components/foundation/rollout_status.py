"""Waits for Deployments that an operator makes of a custom resource, as `kubectl rollout status` does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
from kubernetes import config

from .release_recovery import explain

if TYPE_CHECKING:
    from kubernetes import client as api

# On the pods: what of the custom resource they were made from.
ANNOTATION = "mangakai.com/configuration"

_POLL_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class RolloutStatusArgs:
    """The arguments of RolloutStatus.

    Args:
        context: of the cluster in the kubeconfig.
        namespace: of the Deployments.
        instance: the value of `app.kubernetes.io/instance` on their pods, which explain a failure.
        deployments: their names.
        configuration: what `ANNOTATION` says on the pods once the operator has acted.
        generation: of the custom resource: another one with each change, also one back to what was there before.
        timeout_seconds: how long that may take.
    """

    context: str
    namespace: str
    instance: str
    deployments: Sequence[str]
    configuration: pulumi.Input[str]
    generation: pulumi.Input[int]
    timeout_seconds: int


class RolloutStatus(pulumi.ComponentResource):
    """Nothing in the cluster: each new configuration is waited for, and one that does not become ready is an error.

    It is a resource so that a failed wait is one that the next `up` makes again.
    """

    def __init__(self, name: str, args: RolloutStatusArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        # In a thread: the program's event loop has the other resources to register meanwhile.
        wait = pulumi.ResourceHook(
            f"{name}-rolled-out",
            lambda hook: asyncio.to_thread(_wait, args, (hook.new_inputs or {})["configuration"]),
        )
        hooks = pulumi.ResourceHookBinding(before_create=[wait], before_update=[wait])
        super().__init__(
            "mangakai:monitoring:RolloutStatus",
            name,
            {"configuration": args.configuration, "generation": args.generation},
            pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(hooks=hooks)),
        )
        self.register_outputs({})


def _wait(args: RolloutStatusArgs, configuration: str) -> None:
    """Wait for a configuration, or raise an error that says which Deployment did not become ready, and why."""
    from kubernetes import client as api

    client = config.new_client_from_config(context=args.context)  # type: ignore[no-untyped-call]
    apps, deadline = api.AppsV1Api(client), time.monotonic() + args.timeout_seconds
    while behind := [
        name for name in args.deployments if not _is_rolled_out(apps, name, args.namespace, configuration)
    ]:
        if time.monotonic() > deadline:
            what = f"{', '.join(behind)} did not become ready in {args.timeout_seconds} s"
            raise pulumi.RunError("\n".join([what, *explain(client, args.instance, args.namespace)]))
        time.sleep(_POLL_SECONDS)


def _is_rolled_out(apps: api.AppsV1Api, name: str, namespace: str, configuration: str) -> bool:
    """Return whether every pod of a Deployment is of this configuration and ready, and no older one is left."""
    from kubernetes.client.exceptions import ApiException
    from urllib3.exceptions import HTTPError

    try:
        deployment: Any = apps.read_namespaced_deployment(name, namespace)
    except (ApiException, HTTPError):
        return False  # the operator has not made it yet, or the API server is away for a moment
    annotations, status = deployment.spec.template.metadata.annotations or {}, deployment.status
    return (
        annotations.get(ANNOTATION) == configuration
        and (status.observed_generation or 0) >= deployment.metadata.generation
        and status.updated_replicas == status.replicas == status.available_replicas == deployment.spec.replicas
    )
