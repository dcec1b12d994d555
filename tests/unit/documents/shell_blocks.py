"""The blocks of shell in the documents."""

import re
import subprocess
import textwrap
from dataclasses import dataclass

from tests.offline import ROOT


@dataclass(frozen=True)
class Block:
    """The commands of one block, and where it stands."""

    where: str
    commands: str


def blocks() -> list[Block]:
    """Return every block of shell of every page."""
    names = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    found = []
    for name in names.stdout.split():
        text = (ROOT / name).read_text()
        for block in re.finditer(r"^( *)```sh\n(.*?)^\1```$", text, flags=re.MULTILINE | re.DOTALL):
            line = text.count("\n", 0, block.start()) + 2
            found.append(Block(f"{name}:{line}", textwrap.dedent(block[2])))
    return found
