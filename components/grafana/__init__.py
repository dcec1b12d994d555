"""Grafana: datasources, dashboards, and its Release."""
