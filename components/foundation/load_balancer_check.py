"""Load balancers that are there and are not what the settings say: known before anything is registered."""

import pulumi
from kubernetes import client as api

from ..settings import Settings
from .cluster_reader import NotAllowedError, read
from .endpoint import AWS_LOAD_BALANCER
from .names import MONITORING
from .web_interfaces import WEB_INTERFACES


def of_another_kind(settings: Settings, client: api.ApiClient) -> list[str]:
    """Return a line about the Services whose load balancer somebody else makes than the settings say, with the way out.

    A Service keeps its loadBalancerClass for as long as it is of the type LoadBalancer.

    Raises:
        HTTPError: the cluster does not answer, or not to this user.
    """
    kind = settings.exposure.load_balancer
    if kind == "nodePort":
        return []
    wanted = AWS_LOAD_BALANCER if kind == "aws" else None
    try:
        listed = read(client, f"/api/v1/namespaces/{MONITORING}/services") or {"items": []}
    except NotAllowedError as error:
        pulumi.log.warn(f"whether load balancers can become what the settings say cannot be told: {error}")
        return []
    ours = [f"{name}-external" for name in WEB_INTERFACES]
    others = [
        item["metadata"]["name"]
        for item in listed["items"]
        if item["metadata"]["name"] in ours
        and item["spec"].get("type") == "LoadBalancer"
        and item["spec"].get("loadBalancerClass") != wanted
    ]
    if not others:
        return []
    return [
        f"exposure.loadBalancer: {kind}, and {', '.join(others)} have a load balancer of another kind, which a Service "
        "keeps for life: set back what it was, or let go of them and their addresses: kubectl --context "
        f"{settings.cluster.context} -n {MONITORING} delete service {' '.join(others)}, then once more "
        "(docs/changes.md)"
    ]
