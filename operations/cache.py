"""The folder of programs that are built once."""

import os
from pathlib import Path


def cache() -> Path:
    """Return the folder: outside the checkout, so that every clone shares it."""
    if chosen := os.environ.get("MANGAKAI_CACHE"):
        return Path(chosen).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mangakai-monitoring"
