"""`make docs`: what is generated is up to date, and what drifts, lacks or contradicts is named."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from development.docs import __main__ as program
from development.docs import pages, requirements, settings
from tests.conftest import not_collected
from tests.offline import ROOT
from tests.proofs import unproven

SETTINGS = (ROOT / "docs" / "settings.md").read_text()
ROW = {"what": "a thing", "met": ["README.md"]}


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "docs", tmp_path / "docs"))


def test_the_pages_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--check"]) == 0, capsys.readouterr().out


@pytest.mark.parametrize(
    ("page", "value", "another"),
    [
        ("settings.md", "| `prometheus.retention` | 15d |", "| `prometheus.retention` | 30d |"),
        ("alerts.md", "`> 0.05`", "`> 0.06`"),
        ("dashboards.md", " panels.", " pictures."),
        ("versions.md", "29.27.0", "29.28.0"),
        ("versions.md", "| 3.14.0 |", "| 3.15.0 |"),
        ("requirements.md", "delivery/test_delivery.py", "delivery/test_another.py"),
    ],
)
def test_a_page_that_drifts_is_named_and_mended(
    docs: Path, capsys: pytest.CaptureFixture[str], page: str, value: str, another: str
) -> None:
    right = (docs / page).read_text()
    (docs / page).write_text(right.replace(value, another, 1))
    assert (docs / page).read_text() != right
    assert program.main(["--check"], docs) == 1
    assert capsys.readouterr().out == f"docs/{page} is not up to date: run make docs\n"
    assert program.main([], docs) == 0
    assert (docs / page).read_text() == right
    assert program.main(["--check"], docs) == 0


def test_what_is_written_by_hand_stays(docs: Path) -> None:
    page = docs / "alerts.md"
    text = page.read_text().replace("# Alerts\n", "# Alerts and more\n")
    page.write_text(text)
    assert program.main([], docs) == 0
    assert page.read_text() == text


def test_a_page_without_its_part_is_named(docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (docs / "versions.md").write_text("# Versions\n")
    assert program.main(["--check"], docs) == 1
    assert "docs/versions.md: there is not one part `<!-- generated: charts -->`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "others", "problem"),
    [
        ("| `grafana.storage` |", "| `grafana.disk` |", "grafana.storage is not described: add the row"),
        ("1 to 9; they scrape", "1 to 5; they scrape", "prometheus.replicas is said to be 1 to 5, and is 1 to 9"),
        ("`internet-facing`, which", "open, which", "exposure.scheme does not say that it may be internet-facing"),
    ],
)
def test_a_setting_that_is_not_described_as_it_is_is_named(words: str, others: str, problem: str) -> None:
    assert words in SETTINGS
    with pytest.raises(pages.DocsError, match=problem):
        settings.render(SETTINGS.replace(words, others))


def test_a_default_is_the_models() -> None:
    defaults = {each.key: each.default for each in settings.settings()}
    assert defaults["cluster.name"] == "required"
    assert defaults["aws.accountId"] == "required where `aws` is set"
    assert defaults["traces.elasticsearch.version"] == "8.19.21"
    assert defaults["logs.elasticsearch.resources"] == "requests 1/4Gi, limits 2/4Gi"
    assert defaults["alerts.rules.<alert>.for"] == "the rule's"


def test_every_row_is_proven_or_explained_and_every_marker_has_its_row() -> None:
    assert requirements.problems(requirements.rows(), requirements.proofs()) == []


@pytest.mark.parametrize(
    ("row", "tests", "problem"),
    [
        (ROW, [], "S-001: neither a test with its marker nor a reason"),
        (ROW | {"met": ["nowhere.py"]}, ["unit/test_a.py::test_a"], "S-001: there is no nowhere.py"),
        (ROW, ["elsewhere/test_a.py::test_a"], "S-001: `make test` does not run elsewhere/test_a.py::test_a"),
        (ROW | {"meets": "x"}, ["unit/test_a.py::test_a"], "S-001: unknown keys: meets"),
    ],
)
def test_a_row_that_is_wrong_is_named(row: dict[str, object], tests: list[str], problem: str) -> None:
    rows = requirements.rows() | {"S-001": row}
    assert requirements.problems(rows, requirements.proofs() | {"S-001": tests}) == [problem]


def test_a_marker_of_no_row_and_a_row_that_is_missing_are_named() -> None:
    rows = requirements.rows()
    del rows["S-139"]
    assert requirements.problems(rows, requirements.proofs()) == [
        "S-139: there is no such row",
        "the rows are not S-001 to S-139, in order",
    ]


def test_markers_of_functions_and_methods_are_found(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text(
        '@pytest.mark.requirement("S-001", "S-002")\ndef test_a(): ...\n'
        'class TestB:\n    @pytest.mark.requirement("S-002")\n    async def test_b(self): ...\n'
    )
    assert requirements.proofs(tmp_path) == {
        "S-001": ["test_a.py::test_a"],
        "S-002": ["test_a.py::test_a", "test_a.py::TestB::test_b"],
    }


def test_a_marked_test_that_pytest_does_not_see_is_named() -> None:
    file = ROOT / "tests" / "delivery" / "test_delivery.py"
    name = "tests/delivery/test_delivery.py::test_delivery"
    items: list[Any] = [SimpleNamespace(path=file, nodeid="tests/delivery/test_delivery.py::test_another")]
    assert not_collected(items) == [name]
    items.append(SimpleNamespace(path=file, nodeid=f"{name}[outage]"))
    assert not_collected(items) == []


def test_a_row_is_proven_by_tests_that_ran_and_passed() -> None:
    every = dict.fromkeys(requirements.proofs(), True)
    assert unproven(every) == []
    (first, second, *_) = sorted(every)
    del every[first]
    every[second] = False
    assert unproven(every) == [first, second]
