"""A rule's finding, and the exception that excuses it."""

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Broken:
    """A rule that an object breaks.

    Args:
        rule: its name.
        object: kind, namespace/name, and /container where it is about one.
        wrong: what is wrong.
        mend: how to mend it.
    """

    rule: str
    object: str
    wrong: str
    mend: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.object}: {self.wrong}. {self.mend}"


@dataclass(frozen=True)
class Excuse:
    """An exception: what one object may do in spite of a rule.

    Args:
        rule: its name.
        object: as `Broken` has it, or a pattern of such ones, with * and ?.
        reason: why.
    """

    rule: str
    object: str
    reason: str

    def covers(self, broken: Broken) -> bool:
        """Return whether this is the excuse for `broken`."""
        return broken.rule == self.rule and fnmatchcase(broken.object, self.object)
