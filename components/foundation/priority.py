"""The priority of the stack's pods: which go last when a node is short of memory, and are scheduled first."""

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes import scheduling

from .metadata import metadata
from .names import PRIORITY


@dataclass(frozen=True, kw_only=True)
class PriorityArgs:
    """The value that pods are compared by."""

    value: int


class Priority(pulumi.ComponentResource):
    """The PriorityClass. Its pods wait for room: they put nothing of the application out."""

    def __init__(self, name: str, args: PriorityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:Priority", name, {}, opts)
        scheduling.v1.PriorityClass(
            PRIORITY,
            metadata=metadata(PRIORITY, "priority"),
            value=args.value,
            preemption_policy="Never",
            description="What watches MangakAI: evicted after what has a lower priority, and preempts none of it.",
            # It cannot change, and two cannot have one name.
            opts=pulumi.ResourceOptions(
                parent=self, replace_on_changes=["value", "preemptionPolicy"], delete_before_replace=True
            ),
        )
        self.register_outputs({})
