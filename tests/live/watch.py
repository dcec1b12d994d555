"""Watches a service while a stack changes: asks it again and again, and keeps when it did not serve."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PAUSE_SECONDS, MOST_SECONDS = 0.5, 900


@contextmanager
def watched(look: Callable[[], object]) -> Iterator[list[str]]:
    """Look twice a second while the context lasts, and yield the list of what went wrong: when, and why."""
    failures: list[str] = []
    ended = threading.Event()
    began = time.monotonic()

    def watch() -> None:
        while not ended.wait(PAUSE_SECONDS) and time.monotonic() - began < MOST_SECONDS:
            try:
                look()
            except Exception as error:
                failures.append(f"after {time.monotonic() - began:.1f} s: {error}")

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield failures
    finally:
        ended.set()
        thread.join()
