"""What is left of a stack's killed update, released, cleared and made one again, in this order."""

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kubernetes import client as api
from kubernetes import config as kubeconfig
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException
from pydantic import ValidationError
from urllib3.exceptions import HTTPError

from components.foundation import helm_records
from components.settings import PROJECT
from components.settings.foundation import ClusterSettings
from components.settings.kubeconfig import problems
from operations.engine import Pulumi

from . import RepairError, lock, releases
from .resources import Resource, have_updated, name

# What the engine may have begun to do with a resource that is in its state.
_OF_WHAT_IS_THERE = ("updating", "deleting")


def repair(
    stack: str, environment: dict[str, str], root: Path, end_provider: Callable[[], None] = lambda: None
) -> list[str]:
    """Repair `stack`, and return a line for each thing that was done.

    Args:
        stack: the stack's name.
        environment: of `pulumi`: it names the backend, the passphrase, the kubeconfig.
        root: the project's folder.
        end_provider: ends a provider that outlived its engine, once it is known that no update is running.

    Raises:
        RepairError: an update is or may be running, the kubeconfig leads to another cluster, or the stack or its
            cluster cannot be reached.
        EngineError: Pulumi is not there, or fails.
    """
    pulumi = Pulumi(stack, environment, root)
    cluster = _cluster(pulumi)
    done = list(lock.release(pulumi))
    end_provider()
    state = pulumi.state()
    resources: list[Resource] = state["deployment"].get("resources") or []
    before = copy.deepcopy(resources)
    pending: list[dict[str, Any]] = state["deployment"].pop("pending_operations", None) or []
    done += [f"cleared the pending operation {one['type']} of {name(one['resource'])}" for one in pending]
    found = _releases(stack, environment, cluster, resources)
    done += found.done
    begun = {one["resource"]["urn"] for one in pending if one["type"] in _OF_WHAT_IS_THERE}
    interrupted = [one for one in resources if one["urn"] in begun and one.get("custom") and not one.get("delete")]
    unsure = list(found.gone)
    for resource in interrupted:
        if resource["type"] != helm_records.RELEASE_TYPE:
            unsure.append(resource["urn"])
        elif resource["urn"] not in found.gone:
            have_updated(resource, "its last update was interrupted")
    if pending or resources != before:
        pulumi.write(state)
    if unsure:
        pulumi("refresh", "--yes", "--skip-preview", *(f"--target={urn}" for urn in unsure))
    return [*done, *(f"read anew what the cluster has of {urn.split('::')[-1]}" for urn in unsure)]


def _releases(
    stack: str, environment: dict[str, str], cluster: ClusterSettings, resources: Sequence[Resource]
) -> releases.Findings:
    try:
        client = kubeconfig.new_client_from_config(environment.get("KUBECONFIG"), cluster.context)  # type: ignore[no-untyped-call]
        return releases.repair(stack, resources, api.CoreV1Api(client))
    except (ApiException, ConfigException, HTTPError) as error:
        raise RepairError(
            f"the cluster of context {cluster.context!r} cannot be asked for Helm's records: {error}"
        ) from error


def _cluster(pulumi: Pulumi) -> ClusterSettings:
    """Return the cluster that the stack names, to which the kubeconfig leads."""
    try:
        cluster = ClusterSettings.model_validate_json(pulumi("config", "get", f"{PROJECT}:cluster"))
    except ValidationError:
        raise RepairError(f"stack {pulumi.stack} names no cluster: `pulumi preview` says what is wrong") from None
    if wrong := problems(cluster, pulumi.environment):
        raise RepairError(f"nothing was done: {wrong[0]}")
    return cluster
