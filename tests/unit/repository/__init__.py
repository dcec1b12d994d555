"""Tests of the repository itself: layers, workflows, versions."""
