"""Tests of the tools for this project's developers."""
