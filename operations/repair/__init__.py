"""The repair of a stack whose update was killed, or could not write down how it ended: `make repair STACK=…`."""
