"""Elastic's operator, and an Elasticsearch cluster with its users and its exporter: logs and traces have one each."""
