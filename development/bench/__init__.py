"""The time that the engine takes with this program: `make bench`."""
