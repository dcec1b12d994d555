"""Whose the Namespaces and the objects of the whole cluster are: a cluster has one stack, and they name it.

The owner is an annotation, `mangakai.com/owner: <project>/<stack>`. It decides, whatever a stack's state holds: what
names this stack is its own, also where a destroy has left it; what names another one is refused. What names nobody is
somebody else's, unless it has this program's labels: then it was made by a version that wrote no owner down, and the
Namespaces decide, before which nothing else is made. A Namespace that this stack's state holds is its own, and this
update writes its owner down; one that the state does not hold is refused. Only the engine knows the state: it calls
the hook of a creation for what is not in it.
"""

from typing import Any

import pulumi
from kubernetes import client as api
from kubernetes import config

from ..settings import PROJECT, Settings
from .cluster_reader import NotAllowedError, read
from .names import AGENTS, CLUSTER_WIDE_RIGHTS, MONITORING, PRIORITY

OWNER = "mangakai.com/owner"
PART_OF = {"app.kubernetes.io/part-of": PROJECT, "app.kubernetes.io/managed-by": "pulumi"}


def owner(stack: str | None = None) -> str:
    """Return who owns what a stack makes, this one where none is given: its project and its name."""
    return f"{PROJECT}/{stack or pulumi.get_stack()}"


def cluster_wide(settings: Settings) -> dict[str, str]:
    """Return the path of each Namespace and object of the whole cluster that is made, by what kubectl calls it."""
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    found = {
        **{f"namespace/{name}": _namespace(name) for name in (MONITORING, AGENTS)},
        **{
            f"{kind}/{name}": f"{rbac}/{kind}s/{name}"
            for name in CLUSTER_WIDE_RIGHTS
            for kind in ("clusterrole", "clusterrolebinding")
        },
    }
    if settings.cluster.priority:
        found[f"priorityclass/{PRIORITY}"] = f"/apis/scheduling.k8s.io/v1/priorityclasses/{PRIORITY}"
    if settings.aws:
        name = settings.storage.storage_class
        found[f"storageclass/{name}"] = f"/apis/storage.k8s.io/v1/storageclasses/{name}"
    return found


def of_others(settings: Settings, client: api.ApiClient) -> list[str]:
    """Return a line for each owner of what this stack would take from them, with the way to take it over on purpose.

    Raises:
        HTTPError: the cluster does not answer, or not to this user.
    """
    taken: dict[str, list[str]] = {}
    for name, path in cluster_wide(settings).items():
        try:
            found = read(client, path)
        except NotAllowedError as error:
            pulumi.log.warn(f"whose {name} is cannot be told: {error}")
            continue
        if found is not None and _owner_of(found) != owner() and not _is_of_a_version_without_owners(found):
            taken.setdefault(_whose(found), []).append(name)
    return [_refusal(whose, names, settings.cluster.context) for whose, names in taken.items()]


def guard(context: str) -> pulumi.ResourceHookBinding:
    """Return the hook that refuses to create a Namespace which is there, and of which nobody knows whose it is.

    It runs in a preview too, and only where the state of this stack does not hold the Namespace.
    """

    def refuse(creation: pulumi.ResourceHookArgs) -> None:
        client = config.new_client_from_config(context=context)  # type: ignore[no-untyped-call]
        name = (creation.new_inputs or {})["metadata"]["name"]
        found = read(client, _namespace(name))
        if found is not None and _owner_of(found) != owner():
            raise pulumi.RunError(_refusal(_whose(found), [f"namespace/{name}"], context))

    options = pulumi.ResourceHookOptions(on_dry_run=True)
    return pulumi.ResourceHookBinding(before_create=[pulumi.ResourceHook("refuse-what-is-there", refuse, options)])


def _namespace(name: str) -> str:
    return f"/api/v1/namespaces/{name}"


def _owner_of(found: dict[str, Any]) -> str:
    """Return the owner that an object names, "" for none."""
    return str((found["metadata"].get("annotations") or {}).get(OWNER, ""))


def _is_of_a_version_without_owners(found: dict[str, Any]) -> bool:
    return not _owner_of(found) and PART_OF.items() <= (found["metadata"].get("labels") or {}).items()


def _whose(found: dict[str, Any]) -> str:
    if owner_named := _owner_of(found):
        return f"of stack {owner_named}"
    if _is_of_a_version_without_owners(found):
        return "made by an earlier version of this program, and not in this stack's state"
    return "made by somebody else"


def _refusal(whose: str, names: list[str], context: str) -> str:
    return (
        f"{', '.join(names)}: already there, and {whose}; this is stack {owner()}, and a cluster has one. "
        "Name this stack's own cluster (cluster.context, cluster.server). To take it over for good, with all that "
        f"is in it: kubectl --context {context} annotate --overwrite {' '.join(names)} {OWNER}={owner()} "
        "(docs/operations.md#whose-a-cluster-is)"
    )
