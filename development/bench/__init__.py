"""How long the engine takes with this program: `make bench`."""
