"""Rules over every pod template and every Role that the stacks produce: what a kubelet and an API server act on.

`broken` is the one function. It takes the objects of a stack as they come: manifests of `helm template`, inputs of the
program's own resources, or what an API server has. The rules:

- `unknown-image`: each image is in the table, with its published user, so that a chart's new one is noticed.
- `non-root-user`: runAsNonRoot needs a user that is a number, in the spec or in the image.
- `volume-group`: who writes a claim and is not root needs an fsGroup, or an init container that is root.
- `stops-at-once`: more than one replica, and a strategy that stops all of them.
- `no-requests`: each container requests CPU and memory.
- `ends-only-by-sigkill`: what runs on ends on SIGTERM, though it is pid 1.
- `reads-secrets`, `escalates`, `creates-pods-cluster-wide`, `gives-unseen-role`: of Roles, ClusterRoles and bindings.
- `gives-nothing`: a Role names what is in no namespace, and no ClusterRole gives it to the same ServiceAccount.
- `stale-exception`: an exception that excuses nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import pods, roles
from .exceptions import EXCEPTIONS
from .finding import Broken, Excuse
from .templates import templates

__all__ = ["EXCEPTIONS", "Broken", "Excuse", "broken"]


def broken(
    objects: Iterable[Mapping[str, Any]], exceptions: Sequence[Excuse] = EXCEPTIONS, *, whole: bool = True
) -> list[Broken]:
    """Return every rule that an object breaks and no exception excuses, each once.

    Args:
        objects: of one stack or of several; of other kinds than the rules are about, too. Roles and their bindings
            belong together, so all of a stack in one call.
        exceptions: what is excused.
        whole: whether these are the objects of all stacks, so that an exception that excuses nothing is stale.

    Raises:
        KeyError: what is given is no Kubernetes object: without a kind, say, or a container without a name.
    """
    given = [one for one in objects if not _is_test(one)]
    found = [finding for one in given for template in templates(one) for finding in pods.broken_by(template)]
    found = list(dict.fromkeys([*found, *roles.broken_by(given)]))
    stale = [one for one in exceptions if whole and not any(one.covers(finding) for finding in found)]
    left = [finding for finding in found if not any(one.covers(finding) for one in exceptions)]
    return [*left, *map(_stale, stale)]


def _is_test(one: Mapping[str, Any]) -> bool:
    """Return whether only `helm test` makes an object, which nobody runs here."""
    return "test" in (one["metadata"].get("annotations") or {}).get("helm.sh/hook", "")


def _stale(excuse: Excuse) -> Broken:
    return Broken(
        "stale-exception",
        excuse.object,
        f"nothing breaks the rule {excuse.rule} there any more ({excuse.reason})",
        "Take the exception out of development/workload_rules/exceptions.py",
    )
