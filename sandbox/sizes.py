"""The sizes at which a stack's containers fit on one machine: those that the stack `local` gives them."""

from pathlib import Path
from typing import Any

import yaml

from sandbox.layout import CHECKOUT

_PROJECT = "mangakai-monitoring:"


def of_one_machine(project: Path = CHECKOUT) -> dict[str, dict[str, object]]:
    """Return what the stack `local` of a project asks for its containers, as settings that can lie over a stack's."""
    config = yaml.safe_load((project / "Pulumi.local.yaml").read_text())["config"]
    return _resources({key.removeprefix(_PROJECT): values for key, values in config.items()})


def _resources(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the keys `resources`, at any depth, with the keys above them."""
    found = {}
    for key, value in settings.items():
        below = value if key == "resources" else _resources(value) if isinstance(value, dict) else None
        if below:
            found[key] = below
    return found
