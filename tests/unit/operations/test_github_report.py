"""One comment on a pull request, one issue a stack: against an API that answers as GitHub's does."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from operations import github_report
from tests.github import COMMENTS, PULL_REQUEST, GitHub
from tests.serving import serving

RUN = "https://github.com/mangakai/monitoring/actions/runs/1"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    server = GitHub()
    server.tell(monkeypatch)
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    monkeypatch.setenv("GITHUB_RUN_ID", "1")
    with serving(server):
        yield server


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["report", *map(str, arguments)])
    return github_report.main()


def add(api: GitHub, path: str, login: str, body: str | None) -> None:
    items = api.items[path]
    number = len(items) + 1
    items.append({"id": number, "number": number, "state": "open", "user": {"login": login}, "body": body})


def test_one_comment_is_updated(api: GitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    comments = api.items[COMMENTS]
    # Whoever copies the marker does not have their comment written over; and ours lies on the third page.
    for login in ("alice", "bob", github_report.AUTHOR, "carol"):
        add(api, COMMENTS, login, "" if login == github_report.AUTHOR else "<!-- mangakai-monitoring: previews -->")
    preview = tmp_path / "prod.txt"
    for text in ("first", "second"):
        preview.write_text(text)
        assert run(monkeypatch, "comment", "--number", PULL_REQUEST, preview) == 0
    assert [comment["body"] for comment in comments[4:]] == [
        f"<!-- mangakai-monitoring: previews -->\n{github_report.written([preview], RUN)}"
    ]
    assert "second" not in str(comments[:4])


def test_one_issue_a_stack_is_opened_updated_and_closed(
    api: GitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    issues = api.items["/issues"]
    add(api, "/issues", "alice", None)
    drift = tmp_path / "objects.txt"
    drift.write_text("- replicas: 2\n+ replicas: 1")
    assert run(monkeypatch, "issue", "--stack", "prod", drift) == 0
    assert run(monkeypatch, "issue", "--stack", "staging", drift) == 0
    drift.write_text("- replicas: 2\n+ replicas: 3")
    assert run(monkeypatch, "issue", "--stack", "prod", drift) == 0
    assert [(one.get("title"), one["state"]) for one in issues[1:]] == [
        ("Drift: prod is not what Pulumi made", "open"),
        ("Drift: staging is not what Pulumi made", "open"),
    ]
    assert "### objects\n\n```diff\n- replicas: 2\n+ replicas: 3\n```" in issues[1]["body"]
    assert run(monkeypatch, "issue", "--stack", "prod") == 0
    assert [one["state"] for one in issues] == ["open", "closed", "open"]
    assert run(monkeypatch, "issue", "--stack", "prod") == 0
    assert run(monkeypatch, "issue", "--stack", "prod", drift) == 0
    assert len(issues) == 4, "a closed issue is not opened again"


def test_a_refusal_is_one_line(
    api: GitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api.refuses = True
    (tmp_path / "prod.txt").write_text("text")
    assert run(monkeypatch, "comment", "--number", PULL_REQUEST, tmp_path / "prod.txt") == 1
    assert re.fullmatch(r"report: POST /issues/7/comments: 403 .*accessible.*\n", capsys.readouterr().err)


def test_without_a_token_nothing_is_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    assert run(monkeypatch, "issue", "--stack", "prod") == 1
    assert capsys.readouterr().err == "report: not set: GITHUB_API_URL, GITHUB_REPOSITORY, GITHUB_TOKEN\n"


def test_a_text_is_summed_up_folded_and_cut(tmp_path: Path) -> None:
    files = [tmp_path / "staging.txt", tmp_path / "prod.txt", tmp_path / "gone.txt"]
    files[0].write_text("what changes\n\nStack staging:\n  1 changed\n")
    files[1].write_text("```\n" + "+ a line\n" * 10_000 + "\n" + "Stack prod: long\n" * 10_000)
    text = github_report.written(files, RUN)
    assert len(text) <= github_report.LIMIT
    staging, prod, gone = re.split("^### ", text, flags=re.MULTILINE)[1:]
    assert staging == (
        "staging\n\n```diff\nStack staging:\n  1 changed\n```\n\n<details><summary>All of it</summary>\n\n"
        "```diff\nwhat changes\n\nStack staging:\n  1 changed\n```\n\n</details>\n\n"
    )
    cut = f"**Cut here: it is too long for GitHub. The whole: {RUN}**"
    assert prod.startswith("prod\n\n```diff\nStack prod: long\n")
    assert "Stack prod: long\n…\n```\n\n<details><summary>All of it</summary>\n\n````diff\n```\n+ a line\n" in prod
    assert f"+ a line\n````\n\n{cut}\n\n</details>" in prod
    assert gone == f"gone\n\nThere is nothing of it: {RUN} says why."
