"""Tests of the program: what it makes of settings, without engine or cluster."""
