"""The parts of the documentation that are made of what they speak of: `make docs`."""
