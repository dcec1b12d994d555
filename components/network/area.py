"""Deploys the NetworkPolicies."""

from ..foundation.base import Base
from .arrows import arrows
from .policies import NetworkPolicies, NetworkPoliciesArgs


def deploy(base: Base) -> Base:
    """Allow the connections that the parts need, and no others, before there is a pod."""
    settings = base.settings
    if not settings.network.policies:
        return base
    args = NetworkPoliciesArgs(
        arrows=arrows(settings, backups=base.backup_target is not None),
        settings=settings.network,
        exposure=settings.exposure,
        application_namespace=settings.application.namespace,
    )
    return base.with_prerequisite(NetworkPolicies("network-policies", args, base.options()))
