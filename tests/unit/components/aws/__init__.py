"""Tests of the area `aws`."""
