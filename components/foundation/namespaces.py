"""The namespaces of the stack, and what pods may do in them."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes import core

from .metadata import metadata
from .names import AGENTS, MONITORING
from .ownership import guard

# Every pod of ours is `restricted`. One of before, which an update has not reached yet, can still start again, and
# whoever adds one of their own is warned.
_MONITORING = {"enforce": "baseline", "warn": "restricted", "audit": "restricted"}


@dataclass(frozen=True, kw_only=True)
class NamespacesArgs:
    """Whether `monitoring`, with the volumes in it, outlives `pulumi destroy`; the context of the cluster."""

    keep_data: bool
    context: str


class Namespaces(pulumi.ComponentResource):
    """`monitoring`, and `monitoring-agents` for node-exporter and Filebeat, which need the node.

    `registered` is known once the engine knows the hook of the former.
    """

    registered: pulumi.Output[str]

    def __init__(self, name: str, args: NamespacesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:Namespaces", name, {}, opts)
        self._guard = guard(args.context)
        self.registered = self._namespace(MONITORING, _MONITORING, args.keep_data).urn
        self._namespace(AGENTS, {"enforce": "privileged"}, keep=False)
        self.register_outputs({})

    def _namespace(self, name: str, pod_security: Mapping[str, str], keep: bool) -> core.v1.Namespace:
        labels = {f"pod-security.kubernetes.io/{mode}": level for mode, level in pod_security.items()}
        return core.v1.Namespace(
            name,
            metadata=metadata(name, "namespace", labels=labels),
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=keep, hooks=self._guard),
        )
