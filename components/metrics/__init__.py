"""Metrics and alerts: rules, scrape jobs, Alertmanager, Prometheus."""
