"""Prometheus' finished blocks: hard links of them are saved, so that compaction and retention go on meanwhile.

What is younger than the last block, up to three hours, lies in the write-ahead log and is not in a backup.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from . import BackupError
from .answer import parsed
from .part import Staged

_ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
_ATTEMPTS = 5
_META = {"minTime": float, "maxTime": float, "compaction": {"sources": [str]}}


@dataclass(frozen=True)
class Block:
    """A block's folder, the time that its samples span, in seconds since 1970, and the blocks that it was made of."""

    folder: Path
    since: float
    until: float
    sources: frozenset[str]

    def __str__(self) -> str:
        begin, end = (datetime.fromtimestamp(each, UTC) for each in (self.since, self.until))
        return f"{self.folder.name} ({begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC)"


class Blocks:
    """The blocks in Prometheus' data folder."""

    lag = 3 * 3600.0

    def __init__(self, data: Path) -> None:
        self._data = data

    @contextmanager
    def staged(self) -> Iterator[Staged]:
        """Link all finished blocks into a folder of the same volume."""
        stage = self._data / ".backup"
        try:
            blocks = self._link(stage)
            yield Staged(stage, max((block.until for block in blocks), default=self._begin()))
        finally:
            # A link left behind would keep what retention deletes.
            shutil.rmtree(stage, ignore_errors=True)

    def _link(self, stage: Path) -> list[Block]:
        for _ in range(_ATTEMPTS):
            shutil.rmtree(stage, ignore_errors=True)
            stage.mkdir()
            try:
                blocks = read(self._data)
                for block in blocks:
                    shutil.copytree(block.folder, stage / block.folder.name, copy_function=os.link)
            except (FileNotFoundError, shutil.Error):
                continue  # compaction replaced a block meanwhile: what replaced it may be missing in the list
            return blocks
        raise BackupError(f"Prometheus replaced blocks in {self._data} each time that they were linked")

    def _begin(self) -> float:
        """Return since when there is data at all: as long as there is no block, so old is what is not saved."""
        return min((entry.stat().st_mtime for entry in self._data.glob("wal/*")), default=0)

    def scratch(self) -> Path:
        """Return a folder of the same volume, from which a block moves at once or not at all."""
        return self._data / ".restore"

    def restore(self, folder: Path, overwrite: bool) -> Iterator[str]:
        """Move the blocks into the data folder, where Prometheus looks for new ones each minute."""
        live = read(self._data)
        there = frozenset[str]().union(*(block.sources for block in live))  # also where compaction has merged them
        saved = read(folder)
        absent = [block for block in saved if not block.sources <= there]
        in_the_way = [
            block for block in absent for other in live if block.since < other.until > other.since < block.until
        ]
        if in_the_way and not overwrite:
            raise BackupError(
                f"Prometheus has other blocks of the same time as {in_the_way[0]}: told to overwrite, it keeps both "
                "and merges them"
            )
        for block in absent:
            block.folder.rename(self._data / block.folder.name)
            yield f"restored block {block}"
        yield f"{len(saved) - len(absent)} of {len(saved)} blocks were there; Prometheus takes up new ones in a minute"


def read(folder: Path) -> list[Block]:
    """Return the finished blocks in a folder, the oldest first.

    Raises:
        FileNotFoundError: one went meanwhile.
        BackupError: what Prometheus says of one cannot be read.
    """
    blocks = []
    for entry in folder.iterdir():
        if _ULID.fullmatch(entry.name):
            file = entry / "meta.json"
            meta = parsed(f"Prometheus: {file}", file.read_bytes(), _META)
            sources = frozenset(meta["compaction"]["sources"])
            blocks.append(Block(entry, meta["minTime"] / 1000, meta["maxTime"] / 1000, sources))
    return sorted(blocks, key=lambda block: block.since)
