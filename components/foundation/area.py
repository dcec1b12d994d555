"""Deploys what every area stands on: in three steps, as the AWS account lies between them."""

from collections.abc import Mapping
from dataclasses import replace

import pulumi

from ..settings import Secrets, Settings
from .base import Base
from .cluster_check import connect
from .endpoint import Endpoint, EndpointArgs
from .kubernetes_secrets import MonitoringSecrets, MonitoringSecretsArgs
from .names import AGENTS, MONITORING, PRIORITY
from .namespaces import Namespaces, NamespacesArgs
from .placement import Placement
from .priority import Priority, PriorityArgs
from .releases import Charts
from .web_interfaces import JAEGER, WEB_INTERFACES

Urls = Mapping[str, pulumi.Output[str]]


def deploy(settings: Settings, secrets: Secrets) -> Base:
    """Check the charts and the cluster, and make the namespaces and the priority of pods."""
    charts, storage = Charts(settings.charts, settings.cluster.context), settings.storage
    monitoring, agents = (
        Placement(
            namespace=name,
            charts=charts,
            storage_class=storage.storage_class,
            keep_data=storage.keep_data,
            priority={"priorityClassName": PRIORITY} if settings.cluster.priority else {},
        )
        for name in (MONITORING, AGENTS)
    )
    base = Base(settings=settings, secrets=secrets, provider=connect(settings), monitoring=monitoring, agents=agents)
    args = NamespacesArgs(keep_data=storage.keep_data, context=settings.cluster.context)
    namespaces = Namespaces("namespaces", args, base.options())
    # What fails while a hook is not registered yet ends the language host, and nobody is told what it was.
    known = secrets.known_after(namespaces.registered)
    base = replace(base.with_prerequisite(namespaces), secrets=known)
    if not settings.cluster.priority:
        return base
    priority = PriorityArgs(value=settings.cluster.priority)
    return base.with_prerequisite(Priority("priority", priority, base.options()))


def deploy_secrets(base: Base) -> Base:
    """Make the Kubernetes Secrets, which come before all that reads them."""
    args = MonitoringSecretsArgs(namespace=MONITORING, secrets=base.secrets)
    return base.with_prerequisite(MonitoringSecrets("secrets", args, base.options()))


def deploy_endpoints(base: Base) -> Urls:
    """Make a load balancer for each web interface, and return its URL; Jaeger's only where a setting asks for it."""
    exposure = base.settings.exposure
    return {
        name: Endpoint(
            name,
            EndpointArgs(namespace=MONITORING, interface=interface, exposure=exposure, domain=base.domain),
            base.options(),
        ).url
        for name, interface in WEB_INTERFACES.items()
        if interface is not JAEGER or exposure.jaeger
    }
