"""The resources of a state."""

from typing import Any

Resource = dict[str, Any]


def name(resource: Resource) -> str:
    """Return the name of a resource."""
    return str(resource["urn"].split("::")[-1])


def have_updated(resource: Resource, why: str) -> bool:
    """Let the next `up` update a resource, changed or not; return whether it would not have.

    The engine does so with each that did not become ready in the last update.
    """
    if resource.get("initErrors"):
        return False
    resource["initErrors"] = [why]
    return True
