"""What ends has one issue in time, once; the day on which this runs does not matter."""

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest

from components.settings.logs import LogsSettings
from components.settings.traces import TracesSettings
from components.traces import jaeger
from development.docs.versions import _application
from operations import ends
from operations.ends import PAGE, End
from operations.github_report import GitHub as GitHubApi
from sandbox import program_pins
from tests.github import GitHub
from tests.serving import serving

ROW = End("Helm 3", date(2027, 2, 10), "the last security fixes", "it takes another provider.")


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    server = GitHub()
    server.tell(monkeypatch)
    with serving(server):
        yield server


def run(monkeypatch: pytest.MonkeyPatch, day: str) -> int:
    monkeypatch.setattr("sys.argv", ["ends", "--today", day])
    return ends.main()


def test_an_end_is_near_sixty_days_before_and_from_then_on() -> None:
    assert ends.near([ROW], date(2026, 12, 11)) == []
    assert ends.near([ROW], date(2026, 12, 12)) == [ROW]
    assert ends.near([ROW], date(2028, 1, 1)) == [ROW]


def test_each_end_has_one_issue_and_none_again_once_it_is_closed(
    github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    issues = github.items["/issues"]
    issues.append({"id": 1, "number": 1, "state": "open", "user": {"login": "alice"}, "body": None})
    assert run(monkeypatch, "2026-12-11") == 0
    assert [one.get("title") for one in issues[1:]] == ["Jaeger 1, with its operator ends on 2025-12-31"]
    assert run(monkeypatch, "2026-12-12") == 0
    (helm,) = issues[2:]
    assert helm["title"] == "Helm 3, in Pulumi's Kubernetes provider ends on 2027-02-10"
    assert "components/foundation/helm_records.py" in helm["body"]
    for one in issues:
        one["state"] = "closed"
    assert run(monkeypatch, "2026-12-13") == 0
    assert len(issues) == 3


def test_a_refusal_is_one_line(
    github: GitHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    github.refuses = True
    assert run(monkeypatch, "2026-12-12") == 1
    assert capsys.readouterr().err.startswith("ends: POST /issues: 403 ")


def test_the_page_has_the_series_that_are_shipped() -> None:
    def series(version: str, parts: int) -> str:
        return ".".join(version.removeprefix("v").split(".")[:parts])

    page = PAGE.read_text()
    rows = page[page.index("## What ends when") :]
    for part in (
        f"Helm {series(program_pins.HELM.version, 1)}, in Pulumi",
        f"Jaeger {series(jaeger._VERSION, 1)}, with",
        f"Elasticsearch {series(TracesSettings().elasticsearch.version, 2)}, of the traces",
        f"Elasticsearch {series(LogsSettings().elasticsearch.version, 1)}, Kibana",
        f"Kubernetes {series(program_pins.KUBE_APISERVER.version, 2)}, of the sandbox",
        f"Prometheus {series(_application('prometheus'), 2)} ",
        f"Grafana {series(_application('grafana'), 2)}, Alertmanager {series(_application('alertmanager'), 2)} ",
    ):
        assert f"\n| {part}" in rows
    assert len(ends.ends(page)) == 6


@pytest.mark.usefixtures("github")
def test_another_date_is_another_end() -> None:
    api = GitHubApi.of(os.environ)
    later = replace(ROW, day=date(2027, 8, 10))
    assert list(ends.report(api, [ROW, later, ROW])) == [
        "Helm 3: opened issue 1",
        "Helm 3: opened issue 2",
        "Helm 3: issue 1",
    ]
