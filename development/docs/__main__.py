"""Write the parts of the documentation that are generated: `make docs`. With --check, say which are not up to date."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from . import catalogue, requirements, settings, versions
from .pages import ROOT, DocsError, fill

# Page, name of the part, and what makes it of the page as it is.
PARTS: list[tuple[str, str, Callable[[str], str]]] = [
    ("settings.md", settings.NAME, settings.render),
    ("alerts.md", "alerts", catalogue.alerts),
    ("runbooks/README.md", "runbooks", catalogue.runbooks),
    ("dashboards.md", "dashboards", catalogue.dashboards),
    ("versions.md", "charts", versions.charts),
    ("versions.md", "versions", versions.shipped_and_tested),
    ("requirements.md", "requirements", requirements.render),
]


def pages(folder: Path) -> dict[Path, str]:
    """Return each page of a folder as it has to be.

    Raises:
        DocsError: naming the page, and what to mend.
    """
    texts: dict[Path, str] = {}
    for page, name, make in PARTS:
        file = folder / page
        text = texts.get(file) or file.read_text()
        try:
            texts[file] = fill(text, name, make(text))
        except DocsError as error:
            raise DocsError(f"docs/{page}: {error}") from error
    return texts


def main(arguments: list[str] | None = None, folder: Path = ROOT / "docs") -> int:
    """Write what is not up to date. Returns 0, or 1 where something is wrong or, with --check, not up to date."""
    parser = argparse.ArgumentParser(prog="make docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, and fail where something would change")
    check = parser.parse_args(arguments).check
    try:
        texts = pages(folder)
    except DocsError as error:
        print(error, file=sys.stderr)
        return 1
    stale = [file for file, text in texts.items() if file.read_text() != text]
    for file in stale:
        if check:
            print(f"docs/{file.relative_to(folder)} is not up to date: run make docs")
        else:
            file.write_text(texts[file])
            print(f"wrote docs/{file.relative_to(folder)}")
    if not stale:
        print(f"{len(texts)} pages are up to date")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
