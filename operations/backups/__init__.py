"""Backups by hand, and what brings them back: `make backup`, `make restore`."""
