"""The base that every area is given: settings, secrets, provider, namespaces, and what comes first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pulumi
import pulumi_kubernetes as kubernetes

from ..settings import Secrets, Settings
from .backup_target import BackupTarget
from .endpoint import Domain
from .placement import Placement

if TYPE_CHECKING:
    from ..aws.account import Aws


@dataclass(frozen=True, kw_only=True)
class Base:
    """The base of the areas. It is immutable: an area that adds something returns a copy.

    Args:
        settings: of the stack.
        secrets: of the stack.
        provider: of its cluster.
        monitoring: where the components go.
        agents: where those go that need the node.
        prerequisites: what comes before every component.
        account: the AWS account, if there is one.
        backup_target: where backups go, if anywhere.
    """

    settings: Settings
    secrets: Secrets
    provider: kubernetes.Provider
    monitoring: Placement
    agents: Placement
    prerequisites: tuple[pulumi.Resource, ...] = ()
    account: Aws | None = None
    backup_target: BackupTarget | None = None

    @property
    def domain(self) -> Domain | None:
        """The domain in which the endpoints have names, if there is one."""
        return self.account.domain if self.account else None

    def options(self, *depends_on: pulumi.Resource) -> pulumi.ResourceOptions:
        """Return the options of a component that comes after the prerequisites and after `depends_on`."""
        return pulumi.ResourceOptions(providers=[self.provider], depends_on=[*self.prerequisites, *depends_on])

    def with_prerequisite(self, prerequisite: pulumi.Resource) -> Base:
        """Return a copy whose components come after `prerequisite` too."""
        return replace(self, prerequisites=(*self.prerequisites, prerequisite))
