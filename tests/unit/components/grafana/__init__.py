"""Tests of the area `grafana`."""
