"""What a part may do in the cluster, where its chart would give it more than it needs, or less."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes import rbac

from .metadata import metadata

_GROUP = "rbac.authorization.k8s.io"
READ = ["get", "list", "watch"]
Rule = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Rights:
    """Rights of a ServiceAccount.

    Args:
        component: the part of the system.
        account: the ServiceAccount's name.
        namespace: the ServiceAccount's namespace.
        rules: what it may do, as a Role has them.
    """

    component: str
    account: str
    namespace: str
    rules: Sequence[Rule]


def in_cluster(name: str, rights: Rights, parent: pulumi.Resource) -> list[pulumi.Resource]:
    """Return a ClusterRole with these rights and its binding, both called `name`."""
    role = rbac.v1.ClusterRole(
        name,
        metadata=metadata(name, rights.component),
        rules=list(rights.rules),
        opts=pulumi.ResourceOptions(parent=parent),
    )
    binding = rbac.v1.ClusterRoleBinding(
        name,
        metadata=metadata(name, rights.component),
        role_ref={"apiGroup": _GROUP, "kind": "ClusterRole", "name": name},
        subjects=[_subject(rights)],
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[role]),
    )
    return [role, binding]


def in_namespace(name: str, rights: Rights, parent: pulumi.Resource) -> list[pulumi.Resource]:
    """Return a Role with these rights in the ServiceAccount's own namespace and its binding, both called `name`."""
    role = rbac.v1.Role(
        name,
        metadata=metadata(name, rights.component, rights.namespace),
        rules=list(rights.rules),
        opts=pulumi.ResourceOptions(parent=parent),
    )
    binding = rbac.v1.RoleBinding(
        name,
        metadata=metadata(name, rights.component, rights.namespace),
        role_ref={"apiGroup": _GROUP, "kind": "Role", "name": name},
        subjects=[_subject(rights)],
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[role]),
    )
    return [role, binding]


def _subject(rights: Rights) -> dict[str, str]:
    return {"kind": "ServiceAccount", "name": rights.account, "namespace": rights.namespace}
