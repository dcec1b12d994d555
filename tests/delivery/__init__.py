"""Alerts that reach a person: real Prometheus and real Alertmanager, from a fault to the mail."""
