"""Alerts that reach a person, and metrics that reach a store: real Prometheus and real Alertmanager."""
