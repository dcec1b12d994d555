"""Alertmanager's silences: asked of one replica, as all of them know all."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .answer import parsed
from .part import Staged, emptied
from .web import Web

_NAME = "silences.json"
_SETTABLE = {"matchers": [dict], "startsAt": datetime, "endsAt": datetime, "createdBy": str, "comment": str}


class Silences:
    """The silences that have not expired; `work` is a folder for copies."""

    lag = 0.0

    def __init__(self, alertmanager: Web, work: Path) -> None:
        self._alertmanager, self._work = alertmanager, work

    @contextmanager
    def staged(self) -> Iterator[Staged]:
        """Write the silences into a file."""
        with emptied(self._work / "stage") as stage:
            now = time.time()
            (stage / _NAME).write_text(json.dumps(self._live(), indent=2))
            yield Staged(stage, now)

    def scratch(self) -> Path:
        """Return a folder of `work`."""
        return self._work / "restore"

    def restore(self, folder: Path, overwrite: bool) -> Iterator[str]:  # noqa: ARG002 - adds, and overwrites nothing
        """Set the silences again that would not have ended yet, but for those that are there."""
        live = [_settings(silence) for silence in self._live()]
        for silence in map(_settings, parsed(_NAME, (folder / _NAME).read_bytes(), [_SETTABLE])):
            what = f"silence of {silence['createdBy']} until {silence['endsAt']}: {silence['comment']}"
            if datetime.fromisoformat(silence["endsAt"]) <= datetime.now(UTC):
                yield f"ended meanwhile: {what}"
            elif any(_same(silence, other) for other in live):
                yield f"is there: {what}"
            else:
                self._alertmanager.call("POST", "/api/v2/silences", silence)
                yield f"restored {what}"

    def _live(self) -> list[dict[str, Any]]:
        shape = [{**_SETTABLE, "status": {"state": str}}]
        silences: list[dict[str, Any]] = self._alertmanager.call("GET", "/api/v2/silences", shape=shape)
        return [silence for silence in silences if silence["status"]["state"] != "expired"]


def _settings(silence: dict[str, Any]) -> dict[str, Any]:
    return {key: silence[key] for key in _SETTABLE}


def _same(silence: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether both silence the same until the same time; when they began does not matter."""
    return all(silence[key] == other[key] for key in ("matchers", "endsAt"))
