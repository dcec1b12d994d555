"""The page in Chinese gives no command and no name that the English one does not give: it cannot lie alone."""

import re

import pytest

from tests.offline import ROOT

ENGLISH = (ROOT / "README.md").read_text()
CHINESE = (ROOT / "README.zh-CN.md").read_text()


def commands(text: str) -> list[str]:
    """Return the lines of the blocks of shell, without their comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return [re.sub(r"\s+#.*", "", line) for block in blocks for line in block.splitlines()]


def test_every_command_is_one_of_the_english_page() -> None:
    assert len(commands(CHINESE)) >= 10
    assert [line for line in commands(CHINESE) if line not in commands(ENGLISH)] == []


def test_every_way_to_a_cluster_is_whole() -> None:
    begin, end = commands(CHINESE).index("pulumi install"), commands(CHINESE).index("pulumi up --stack prod")
    assert "\n".join(commands(CHINESE)[begin : end + 1]) in "\n".join(commands(ENGLISH))


def test_everything_in_code_is_in_the_english_page_too() -> None:
    named = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", CHINESE, flags=re.DOTALL))
    assert len(named) >= 10
    assert [name for name in named if name not in ENGLISH] == []


@pytest.mark.parametrize(("page", "other"), [(ENGLISH, "README.zh-CN.md"), (CHINESE, "README.md")])
def test_each_page_leads_to_the_other_at_its_top(page: str, other: str) -> None:
    assert f"]({other})" in "\n".join(page.splitlines()[:4])
