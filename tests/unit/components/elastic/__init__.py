"""Tests of the area `logs`."""
