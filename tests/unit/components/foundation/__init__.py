"""Tests of the area `foundation`."""
