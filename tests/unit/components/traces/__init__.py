"""Tests of the area `traces`."""
