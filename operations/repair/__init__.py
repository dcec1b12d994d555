"""The repair of a stack whose update was killed, or could not write down how it ended: `make repair STACK=…`."""


class RepairError(Exception):
    """The stack cannot be repaired; the message says why, and what to do."""
