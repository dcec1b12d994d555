"""Findings about a stack's cluster, each with its next step: `make troubleshoot`, which changes nothing."""
