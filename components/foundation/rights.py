"""What a part may do in the cluster, where its chart would give it more than it needs, or less."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes import rbac

from .metadata import metadata

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
    return _given(name, rights, None, rbac.v1.ClusterRole, rbac.v1.ClusterRoleBinding, parent)


def in_namespace(
    name: str, rights: Rights, parent: pulumi.Resource, namespace: str | None = None
) -> list[pulumi.Resource]:
    """Return a Role with these rights and its binding, both called `name`, in the account's namespace or another."""
    return _given(name, rights, namespace or rights.namespace, rbac.v1.Role, rbac.v1.RoleBinding, parent)


def _given(
    name: str,
    rights: Rights,
    namespace: str | None,
    role_type: type[rbac.v1.ClusterRole] | type[rbac.v1.Role],
    binding_type: type[rbac.v1.ClusterRoleBinding] | type[rbac.v1.RoleBinding],
    parent: pulumi.Resource,
) -> list[pulumi.Resource]:
    role = role_type(
        name,
        metadata=metadata(name, rights.component, namespace),
        rules=list(rights.rules),
        opts=pulumi.ResourceOptions(parent=parent),
    )
    binding = binding_type(
        name,
        metadata=metadata(name, rights.component, namespace),
        role_ref={"apiGroup": "rbac.authorization.k8s.io", "kind": role_type.__name__, "name": name},
        subjects=[{"kind": "ServiceAccount", "name": rights.account, "namespace": rights.namespace}],
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[role]),
    )
    return [role, binding]
