"""Each alert has its runbook, each runbook its alert, and whoever is woken finds the same headings in all of them."""

import re
from pathlib import Path

import promql_parser
import pytest

from components.metrics.rule_files import steps
from tests.offline import ROOT

FOLDER = ROOT / "docs" / "runbooks"
INDEX = FOLDER / "README.md"
PAGES = sorted(FOLDER.glob("*.md"))
HEADINGS = ["Meaning", "Impact", "How to look", "How to mend", "When to escalate"]
# The words of an alert's name. An acronym ends before the next word, and PostgreSQL is one word.
WORD = re.compile(r"PostgreSQL|[A-Z]+(?=[A-Z][a-z]|$)|[A-Z][a-z]+")


def kebab(alert: str) -> str:
    assert "".join(WORD.findall(alert)) == alert, f"{alert} is not made of words"
    return "-".join(WORD.findall(alert)).lower()


def queries(page: Path) -> list[str]:
    return re.findall(r"^ *```promql\n(.*?)^ *```$", page.read_text(), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    ("alert", "name"),
    [
        ("HighErrorRate", "high-error-rate"),
        ("HighCPUUsage", "high-cpu-usage"),
        ("PostgreSQLDown", "postgresql-down"),
        ("ContainerOOMKilled", "container-oom-killed"),
        ("Watchdog", "watchdog"),
    ],
)
def test_a_runbook_is_named_for_its_alert(alert: str, name: str) -> None:
    assert kebab(alert) == name


def test_each_alert_links_to_the_runbook_of_its_name() -> None:
    links = {alert: {rule["annotations"]["runbook_url"] for rule in rules.values()} for alert, rules in steps().items()}
    assert links == {alert: {f"https://wiki.mangakai.com/runbooks/{kebab(alert)}"} for alert in steps()}


def test_each_alert_has_a_runbook_and_each_runbook_an_alert() -> None:
    titles = {page.stem: page.read_text().splitlines()[0] for page in PAGES if page != INDEX}
    assert titles == {kebab(alert): f"# {alert}" for alert in steps()}
    print(f"\n{len(titles)} runbooks")


def test_the_runbook_of_targets_names_every_job() -> None:
    table = re.findall(r"^ +\| (`.+`) \| .+ \|$", (FOLDER / "target-down.md").read_text(), flags=re.MULTILINE)
    assert {job for row in table for job in re.findall(r"`([\w-]+)`", row)} == {
        file.stem for file in (ROOT / "scrape").glob("*.yml")
    }


def test_a_runbook_has_the_severities_of_its_alert() -> None:
    for alert, rules in steps().items():
        meaning = (FOLDER / f"{kebab(alert)}.md").read_text().partition("## Impact")[0]
        told = re.findall(r"(?:Severity:\s|\*\*)(warning|critical|none)\b", meaning, flags=re.IGNORECASE)
        assert {severity.lower() for severity in told} == set(rules), alert


@pytest.mark.parametrize("page", [page for page in PAGES if page != INDEX], ids=lambda page: str(page.stem))
def test_a_runbook_has_all_headings_with_text_below(page: Path) -> None:
    sections = [section.partition("\n") for section in page.read_text().split("\n## ")[1:]]
    assert [heading for heading, _, _ in sections] == HEADINGS
    assert [heading for heading, _, text in sections if not text.strip()] == []


def test_every_query_is_promql() -> None:
    found = [(page, query) for page in PAGES for query in queries(page)]
    assert len(found) == sum(page.read_text().count("```promql") for page in PAGES) > len(steps())
    for page, query in found:
        try:
            promql_parser.parse(query)
        except ValueError as error:
            pytest.fail(f"{page.name}: {error}\n{query}")
    print(f"\n{len(found)} queries")
