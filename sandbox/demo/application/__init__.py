"""A small MangakAI: what the package in `instrumentation/` watches in the demo and in its tests."""
