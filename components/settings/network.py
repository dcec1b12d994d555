"""Settings of the connections that the stack's pods may have."""

from typing import Annotated

from pydantic import Field, model_validator

from .types import Cidr, Model

# An empty list would be everybody to a NetworkPolicy.
Networks = Annotated[list[Cidr], Field(min_length=1)]


class NetworkSettings(Model):
    """Which connections NetworkPolicies allow; without `policies` there are none.

    What is outside the cluster's pods has addresses that only its owner knows. Without them a policy names the ports
    alone.

    Args:
        policies: whether there are any.
        load_balancers: from where load balancers and other nodes pass on what people send.
        nodes: where kubelets and node-exporters listen.
        api_server: where the API server is, and from where it calls webhooks.
        outside: where mail, Slack, the heartbeat, who logs people in, a long-term store and the bucket are reached.
        application: whether a policy in the application's namespace lets Prometheus in.
    """

    policies: bool = True
    load_balancers: Networks | None = None
    nodes: Networks | None = None
    api_server: Networks | None = None
    outside: Networks | None = None
    application: bool = False

    @model_validator(mode="after")
    def _no_policy_without_policies(self) -> "NetworkSettings":
        if self.application and not self.policies:
            raise ValueError("application makes a policy, and policies is false: set it to true, or remove application")
        return self
