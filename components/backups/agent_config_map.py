"""The program that makes backups, for the pods that run it."""

import hashlib
import json
from pathlib import Path

import pulumi
from pulumi_kubernetes import core

from ..foundation.metadata import metadata
from ..foundation.names import BACKUP, BACKUP_AGENT, MONITORING

_PROGRAM = Path(__file__).parent.parent.parent / "backup_agent"


class AgentConfigMap(pulumi.ComponentResource):
    """The ConfigMap with the program."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:BackupProgram", name, {}, opts)
        core.v1.ConfigMap(
            BACKUP_AGENT,
            metadata=metadata(BACKUP_AGENT, BACKUP, MONITORING),
            data=files(),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


def files() -> dict[str, str]:
    """Return the program's modules, by file name."""
    return {path.name: path.read_text() for path in sorted(_PROGRAM.glob("*.py"))}


def version() -> str:
    """Return a short text that changes with the program."""
    return hashlib.sha256(json.dumps(files()).encode()).hexdigest()[:8]
