"""A day's values of a series, a sample every 15 seconds, and how promtool reads them."""

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

STEP = 15
SAMPLES = 24 * 3600 // STEP + 1
WHOLE_DAY = range(SAMPLES)

# None where there is no sample.
Values = Sequence[int | None]


def at(clock: str) -> int:
    """Return the sample at a time of day, such as 9:30."""
    hours, minutes = clock.split(":")
    return (int(hours) * 60 + int(minutes)) * 60 // STEP


def minutes(clock: str, length: int) -> range:
    """Return the samples of so many minutes from a time of day on."""
    return range(at(clock), at(clock) + length * 60 // STEP)


def flat(value: int, changes: dict[range, int] | None = None) -> Values:
    """Return one value all day, but for some spans."""
    values = [value] * SAMPLES
    for span, changed in (changes or {}).items():
        values[span.start : span.stop] = [changed] * len(span)
    return values


def during(values: Values, span: range) -> Values:
    """Return the values of a span, and none else."""
    return [value if number in span else None for number, value in enumerate(values)]


def counter(increment: Callable[[int], int], span: range = WHOLE_DAY) -> Values:
    """Return a counter that begins with 0 at the beginning of a span and grows by `increment(sample)`."""
    counted = accumulate((increment(number) for number in span[1:]), initial=0)
    return [None] * span.start + list(counted) + [None] * (SAMPLES - span.stop)


def joined(first: Values, second: Values) -> Values:
    """Return the values of both, where each has none while the other has one."""
    return [other if value is None else value for value, other in zip(first, second, strict=True)]


def notation(values: Values) -> str:
    """Write values in runs. What ends is marked stale, as it is when a scrape finds it no longer."""
    return " ".join(_runs(values))


def _runs(values: Values) -> Iterator[str]:
    number, samples = 0, len(values)
    while number < samples:
        value = values[number]
        end = number + 1
        if value is None:
            while end < samples and values[end] is None:
                end += 1
            yield "stale" if number else "_"
            if end - number > 1:
                yield f"_x{end - number - 1}"
        else:
            following = values[end] if end < samples else None
            step = 0 if following is None else following - value
            while end < samples and values[end] == value + step * (end - number):
                end += 1
            yield f"{value}{step:+}x{end - number - 1}"
        number = end
