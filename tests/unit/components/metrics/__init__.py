"""Tests of the area `metrics`."""
