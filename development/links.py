"""Say which relative links and anchors in the Markdown of this repository lead nowhere.

Exit statuses: 0 all lead somewhere, 1 at least one does not, 2 wrong usage.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).parent.parent

_CODE = re.compile(r"^(?P<fence>```+).*?^(?P=fence)[ \t]*$|(?P<ticks>`+)[^\n]*?(?P=ticks)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?P<inline>[^)\s]+)\)|^\[[^\]]+\]: (?P<reference>\S+)$", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6} +(.+?)[ #]*$", re.MULTILINE)


def broken(pages: Iterable[Path], root: Path) -> list[str]:
    """Return a line for each link that leads nowhere; those to other sites are not looked at.

    Args:
        pages: the Markdown files.
        root: what the lines name the pages by.
    """
    return [
        f"{page.relative_to(root)}: {link} leads nowhere: {what}"
        for page in sorted(pages)
        for link in _links(page.read_text())
        for what in _wrong(page, link)
    ]


def _links(text: str) -> Iterator[str]:
    for found in _LINK.finditer(_CODE.sub("", text)):
        link = found["inline"] or found["reference"]
        if not re.match(r"[a-z]+:", link):
            yield link


def _wrong(page: Path, link: str) -> Iterator[str]:
    path, _, anchor = unquote(link).partition("#")
    target = page.parent / path if path else page
    if not target.exists():
        yield "there is no such file"
    elif anchor and anchor not in _anchors(target):
        yield f"no heading there makes the anchor {anchor}"


def _anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of a page's headings: a second one of the same text ends in -1."""
    anchors: list[str] = []
    for heading in _HEADING.findall(re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchors.append(re.sub(r"[^\w\- ]", "", text).lower().replace(" ", "-"))
    return {f"{one}-{seen}" if (seen := anchors[:index].count(one)) else one for index, one in enumerate(anchors)}


def main() -> int:
    """Check every page that git knows. Returns 0, or 1 where a link leads nowhere."""
    argparse.ArgumentParser(prog="python -m development.links", description=__doc__).parse_args()
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    pages = [ROOT / name for name in names if name and (ROOT / name).is_file()]
    problems = broken(pages, ROOT)
    print("\n".join(problems) or f"the links of {len(pages)} pages lead somewhere")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
