"""Tests of the sandbox, without what it builds."""
