"""The dashboards of the stand-in for Grafana: their providers, and the files of each."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .datasources import ProvisioningError, expanded, parsed
from .web import say

_UID = re.compile(r"[a-zA-Z0-9\-_]{1,40}")


@dataclass(frozen=True)
class Provider:
    """A folder of dashboards.

    Args:
        name: by which its dashboards are known again.
        folder: where the files are, at any depth.
        keeps: whether a dashboard stays when its file goes.
        seconds: after which the files are read again.
    """

    name: str
    folder: Path
    keeps: bool
    seconds: float

    def read(self) -> dict[str, dict[str, Any]] | None:
        """Return the dashboards by uid, without files that are wrong; None where nothing is to change.

        That is so where two files have one uid, and where there is no folder.
        """
        if not self.folder.is_dir():
            say(f"provider {self.name}: cannot read directory {self.folder}")
            return None
        found: dict[str, dict[str, Any]] = {}
        for file in sorted(self.folder.rglob("*.json")):
            try:
                dashboard = _dashboard(file)
            except (OSError, ValueError) as error:
                say(f"provider {self.name}: failed to load dashboard from {file}: {error}")
                continue
            if dashboard["uid"] in found:
                say(f"the same UID is used more than once: {dashboard['uid']}, again in {file}")
                say(f"provider {self.name} has no database write permissions because of duplicates")
                return None
            found[dashboard["uid"]] = dashboard
        return found


def providers(folder: Path) -> list[Provider]:
    """Return the providers of all files of a folder.

    Raises:
        ProvisioningError: a file is wrong.
    """
    found = []
    for file in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        for entry in parsed(file).get("providers") or []:
            path = expanded(str((entry.get("options") or {}).get("path") or ""))
            if not path or entry.get("type", "file") != "file":
                raise ProvisioningError(f"{file}: provider {entry.get('name')} has no path, or is not of type file")
            seconds = float(entry.get("updateIntervalSeconds") or 10)
            found.append(Provider(entry["name"], Path(path), bool(entry.get("disableDeletion")), seconds))
    return found


def _dashboard(file: Path) -> dict[str, Any]:
    dashboard = json.loads(file.read_text())
    if not isinstance(dashboard, dict) or not dashboard.get("title"):
        raise ValueError("Dashboard title cannot be empty")
    if not _UID.fullmatch(str(dashboard.get("uid"))):
        raise ValueError(f"uid {dashboard.get('uid')!r} is missing, too long, or contains illegal characters")
    return dashboard
