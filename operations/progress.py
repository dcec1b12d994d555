"""Progress in front of whoever waits: what is being done, and for how long so far."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def waiting(what: str) -> Iterator[Callable[[str], None]]:
    """Show `what` with its seconds, on a terminal as they pass; yield what is to be called now and then."""
    began, terminal = time.monotonic(), sys.stderr.isatty()

    def show(_: str) -> None:
        if terminal:
            print(f"\r{what}, {time.monotonic() - began:.0f} s ", end="", file=sys.stderr, flush=True)

    if not terminal:
        print(f"{what} …", file=sys.stderr, flush=True)
    try:
        yield show
    finally:
        if terminal:
            print(file=sys.stderr)
