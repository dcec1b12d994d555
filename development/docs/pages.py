"""A page, and the parts of it that are generated: what lies between two comments."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


class DocsError(Exception):
    """A page cannot be generated: the message says what to mend."""


def part(text: str, name: str) -> re.Match[str]:
    """Return where the generated part `name` of a page is; group 2 is its content.

    Raises:
        DocsError: it is not there, or more than once.
    """
    begin, end = f"<!-- generated: {name} -->\n", f"<!-- end of {name} -->"
    found = list(re.finditer(f"({re.escape(begin)})(.*?)({re.escape(end)})", text, re.DOTALL))
    if len(found) != 1:
        raise DocsError(f"there is not one part `{begin.strip()}` … `{end}`")
    return found[0]


def fill(text: str, name: str, content: str) -> str:
    """Return a page with new content in its part `name`."""
    where = part(text, name)
    return text[: where.start(2)] + content + text[where.end(2) :]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [" | ".join(cell.replace("|", r"\|").replace("\n", " ") for cell in row) for row in (head, *rows)]
    lines.insert(1, "|".join("---" for _ in head))
    return "".join(f"| {line} |\n" if index != 1 else f"|{line}|\n" for index, line in enumerate(lines))
