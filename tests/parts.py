"""The parts of the stack that have a NetworkPolicy, and whose a pod is."""

from collections.abc import Mapping
from typing import Any

from components.network import parts
from components.network.parts import Part

PARTS = {value.name: value for value in vars(parts).values() if isinstance(value, Part)}


def whose(metadata: Mapping[str, Any]) -> list[str]:
    """Return the parts whose policies select a pod with this metadata."""
    labels = metadata["labels"]
    return [
        name
        for name, part in PARTS.items()
        if part.namespace == metadata["namespace"] and part.labels.items() <= labels.items()
    ]
