"""Progress of long steps on stderr: a line refreshed in place on a terminal, one line a start and an end elsewhere."""

import shutil
import sys
import time


def clock(seconds: float) -> str:
    """Return seconds as `m:ss`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


class Progress:
    """Announces `steps` steps one after another, each with its number, its time and the time of all."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._step = 0
        self._name = ""
        self._begin = self._step_begin = time.monotonic()
        self._in_place = sys.stderr.isatty()

    def start(self, name: str) -> None:
        """Begin the next step."""
        self._step += 1
        self._name = name
        self._step_begin = time.monotonic()
        if self._in_place:
            self.refresh("")
        else:
            self._print(f"[{self._step} of {self._steps}] {name} …")

    def refresh(self, state: str) -> None:
        """Say how far the step is; elsewhere than on a terminal this is left out."""
        if self._in_place:
            now = time.monotonic()
            times = f"{clock(now - self._step_begin)} (in all {clock(now - self._begin)})"
            line = f"[{self._step} of {self._steps}] {times} {state}{self._name}"
            self._print(f"\r\033[K{line[: shutil.get_terminal_size().columns - 1]}", end="")

    def end(self, result: str) -> None:
        """End the step."""
        took = clock(time.monotonic() - self._step_begin)
        self._print(f"{self._erase()}[{self._step} of {self._steps}] {self._name}: {result} in {took}")

    def abandon(self) -> None:
        """Leave the terminal with an empty line for what is said next."""
        self._print(self._erase(), end="")

    def _erase(self) -> str:
        return "\r\033[K" if self._in_place else ""

    def _print(self, text: str, end: str = "\n") -> None:
        print(text, end=end, file=sys.stderr, flush=True)
