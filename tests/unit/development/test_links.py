"""Links and anchors of Markdown, as GitHub makes them of headings."""

from pathlib import Path

import pytest

from development.links import broken

PAGE = """# The [other](other.md) page's `code`, twice

## Twice
## Twice

```sh
# no heading
echo "[a](in-code.md)"
```
"""


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "other.md").write_text(PAGE)
    (tmp_path / "with space.txt").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    "link",
    [
        "docs/other.md",
        "docs",
        "with%20space.txt",
        "docs/other.md#the-other-pages-code-twice",
        "docs/other.md#twice",
        "docs/other.md#twice-1",
        "#here",
        "https://example.com/gone.md#nowhere",
        "mailto:somebody@example.com",
    ],
)
def test_what_is_there_is_found(pages: Path, link: str) -> None:
    page = pages / "page.md"
    page.write_text(f"# Here\n[link]({link}), `[code](gone.md)`\n\n[named]: {link}\n")
    assert broken([page, pages / "docs" / "other.md"], pages) == []


@pytest.mark.parametrize(
    ("link", "what"),
    [
        ("gone.md", "there is no such file"),
        ("other.md", "there is no such file"),
        ("docs/other.md#no-heading", "no heading there makes the anchor no-heading"),
        ("docs/other.md#twice-2", "no heading there makes the anchor twice-2"),
        ("#there", "no heading there makes the anchor there"),
    ],
)
@pytest.mark.parametrize("form", ["[link]({})", "![image]({})", "[named]: {}"])
def test_what_is_not_there_is_named(pages: Path, link: str, what: str, form: str) -> None:
    page = pages / "page.md"
    page.write_text(f"# Here\n{form.format(link)}\n")
    assert broken([page], pages) == [f"page.md: {link} leads nowhere: {what}"]
