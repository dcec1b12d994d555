"""Backups to the bucket: where they go, the agent that makes them, and what of it runs on its own."""
