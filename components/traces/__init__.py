"""Traces: Jaeger, and the Elasticsearch that it writes to."""
