"""Tests of the area `settings`."""
