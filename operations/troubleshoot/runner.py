"""Runs checks all at once, each within the time limit, none stopping the others (D-176, D-183)."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import TypeVar

from operations.cluster import Unreadable, late

from .finding import Finding, Severity

T = TypeVar("T")

# What to do about an answer that does not come in time.
WHEN_LATE = "try again, with --timeout 60 if the cluster is slow"


@dataclass(frozen=True)
class Check:
    """A check: its name, its namespace, and the function that makes it."""

    topic: str
    namespace: str
    find: Callable[[], Iterable[Finding]]


def start(work: Callable[[], T]) -> Future[T]:
    """Begin something beside the rest. No pool: the interpreter would wait for its threads, however late they are."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def run(checks: Sequence[Check], timeout: float) -> list[Finding]:
    """Return what the checks find within `timeout` seconds, the worst first, without secrets.

    Those that fail are findings too, one for each reason.
    """
    futures = [start(lambda find=check.find: list(find())) for check in checks]  # type: ignore[misc]
    wait(futures, timeout)
    found: list[Finding] = []
    failed: dict[tuple[str, str], list[str]] = defaultdict(list)
    for check, future in zip(checks, futures, strict=True):
        error = future.exception() if future.done() else late(timeout, WHEN_LATE)
        if error is None:
            found += future.result()
            continue
        remedy = error.remedy if isinstance(error, Unreadable) else "tell us: operations/troubleshoot has a fault"
        why = str(error) if isinstance(error, Unreadable) else f"{type(error).__name__}: {error}"
        failed[why, remedy].append(f"{check.topic} ({check.namespace})")
    for (why, remedy), topics in failed.items():
        what = "could not be looked at"
        found.append(Finding(Severity.UNKNOWN, ", ".join(topics), what, cause=why, next_step=remedy))
    return sorted((one.scrubbed() for one in found), key=lambda one: list(Severity).index(one.severity))
