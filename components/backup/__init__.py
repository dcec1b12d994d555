"""Backups to the bucket: where they go, the program that makes them, and what of it runs on its own."""

from .program import BackupProgram
from .schedule import Backups, BackupsArgs
from .target import Target

__all__ = ["BackupProgram", "Backups", "BackupsArgs", "Target"]
