"""The D-numbers: each that stands anywhere is explained in docs/differences.md, and beside each stands a reason."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.offline import ROOT

NUMBER = re.compile(r"\bD-(\d{3})(?: to D-(\d{3}))?\b")
# Numbers of lists that are not in this repository.
FOREIGN = re.compile(r"\b[GH]-\d{3}\b")
BARE = re.compile(r"(#|//|\"\"\"|/\*)\s*([DS]-\d{3}(, | to |\.)?)+\s*(\"\"\"|\*/)?\s*$", re.MULTILINE)
LISTED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
TEXTS = [ROOT / name for name in LISTED if Path(name).suffix in {".py", ".yml", ".md", ".conf", ".tmpl", ".json"}]
DIFFERENCES = ROOT / "docs" / "differences.md"


def numbers(text: str) -> set[int]:
    return {number for first, last in NUMBER.findall(text) for number in range(int(first), int(last or first) + 1)}


def test_every_number_is_explained() -> None:
    explained = numbers(DIFFERENCES.read_text())
    found = {file: numbers(file.read_text()) for file in TEXTS if file.is_file() and file != DIFFERENCES}
    assert len(frozenset().union(*found.values())) > 100
    assert {str(file): sorted(missing) for file, has in found.items() if (missing := has - explained)} == {}
    this = Path(__file__)
    assert [str(file) for file in found if file != this and FOREIGN.search(file.read_text())] == []


def test_no_comment_is_a_bare_number() -> None:
    code = [file for file in TEXTS if file.is_file() and file.suffix != ".md"]
    assert [(str(file), found[0]) for file in code if (found := BARE.search(file.read_text()))] == []


@pytest.mark.parametrize("comment", ["x = 1  # D-031", "# D-011, D-012", '"""S-001."""', "# D-001 to D-003"])
def test_a_bare_number_is_found(comment: str) -> None:
    assert BARE.search(comment)
    assert not BARE.search(f"{comment[:-1]} because")
