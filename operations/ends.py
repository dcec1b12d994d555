"""Open an issue for each part of docs/versions.md that ends within 60 days: `python3 -m operations.ends`.

Each end has one issue, found by a marker that is not shown. Whoever closes it has decided: it is not opened again,
unless the page gets another date. Nothing but Python's library is needed; the variables are those of
`operations.github_report`.

Exit statuses: 0 it is written, 1 GitHub refused it, 2 wrong usage.
"""

import argparse
import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from operations.github_report import GitHub, ReportError

PAGE = Path(__file__).parent.parent / "docs" / "versions.md"
_NOTICE = timedelta(days=60)
_ROW = re.compile(r"^\| ([^|]+) \| (\d{4}-\d\d-\d\d) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


@dataclass(frozen=True)
class End:
    """A row of the page that has a date."""

    part: str
    day: date
    what: str
    then: str


def ends(page: str) -> list[End]:
    """Return the rows of the page that have a date."""
    return [End(part, date.fromisoformat(day), what, then) for part, day, what, then in _ROW.findall(page)]


def near(rows: Iterable[End], today: date) -> list[End]:
    """Return what has ended, or ends within 60 days."""
    return [row for row in rows if row.day <= today + _NOTICE]


def report(github: GitHub, rows: Iterable[End]) -> Iterator[str]:
    """Open an issue for each row that never had one, and return what was done.

    Raises:
        ReportError: GitHub did not take it.
    """
    for row in rows:
        marker = f"<!-- mangakai-monitoring: end of {row.part} on {row.day} -->"
        if found := github.own("/issues?state=all&", marker):
            yield f"{row.part}: issue {found['number']}"
            continue
        text = f"{row.what[0].upper()}{row.what[1:]}, on {row.day}.\n\nThen: {row.then}\n\nFrom docs/versions.md."
        body = {"title": f"{row.part} ends on {row.day}", "body": f"{marker}\n{text}"}
        yield f"{row.part}: opened issue {github.ask('POST', '/issues', body)['number']}"


def main() -> int:
    """Report what ends soon. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python3 -m operations.ends", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--today", type=date.fromisoformat, default=date.today(), help="another day: 2027-01-31")
    arguments = parser.parse_args()
    try:
        for line in report(GitHub.of(os.environ), near(ends(PAGE.read_text()), arguments.today)):
            print(line)
    except ReportError as error:
        print(f"ends: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
