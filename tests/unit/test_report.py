"""One comment on a pull request, one issue a stack: against an API that answers as GitHub's does."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from operations import report

RUN = "https://github.com/mangakai/monitoring/actions/runs/1"


class Api(ThreadingHTTPServer):
    """The comments and issues of one repository, which are lists of 2 a page."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.items: dict[str, list[dict[str, Any]]] = {"/issues": [], "/issues/7/comments": []}
        self.refuses = False


class Handler(BaseHTTPRequestHandler):
    server: Api

    def answer(self, status: int, body: object) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    @property
    def path_below(self) -> str:
        assert self.headers["Authorization"] == "Bearer token"
        return urlsplit(self.path).path.removeprefix("/api/v3/repos/mangakai/monitoring")

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        items = [
            item for item in self.server.items[self.path_below] if item["state"] in query.get("state", [item["state"]])
        ]
        first = 2 * (int(query["page"][0]) - 1)
        self.answer(200, items[first : first + 2])

    def do_POST(self) -> None:
        if self.server.refuses:
            return self.answer(403, {"message": "Resource not accessible by integration"})
        items = self.server.items[self.path_below]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        number = len(items) + 1
        items.append({"id": number, "number": number, "state": "open", "user": {"login": report.AUTHOR}, **body})
        return self.answer(201, items[-1])

    def do_PATCH(self) -> None:
        folder, _, number = self.path_below.rpartition("/")
        items = self.server.items["/issues/7/comments" if folder == "/issues/comments" else folder]
        items[int(number) - 1].update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.answer(200, items[int(number) - 1])

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    server = Api()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("GITHUB_API_URL", f"http://127.0.0.1:{server.server_address[1]}/api/v3")
    monkeypatch.setenv("GITHUB_REPOSITORY", "mangakai/monitoring")
    monkeypatch.setenv("GITHUB_TOKEN", "token")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    monkeypatch.setenv("GITHUB_RUN_ID", "1")
    yield server
    server.shutdown()
    server.server_close()


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["report", *map(str, arguments)])
    return report.main()


def add(api: Api, path: str, login: str, body: str | None) -> None:
    items = api.items[path]
    number = len(items) + 1
    items.append({"id": number, "number": number, "state": "open", "user": {"login": login}, "body": body})


def test_one_comment_is_updated(api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    comments = api.items["/issues/7/comments"]
    # Whoever copies the marker does not have their comment written over; and ours lies on the third page.
    for login in ("alice", "bob", report.AUTHOR, "carol"):
        add(
            api, "/issues/7/comments", login, "" if login == report.AUTHOR else "<!-- mangakai-monitoring: previews -->"
        )
    preview = tmp_path / "prod.txt"
    for text in ("first", "second"):
        preview.write_text(text)
        assert run(monkeypatch, "comment", "--number", 7, preview) == 0
    assert [comment["body"] for comment in comments[4:]] == [
        f"<!-- mangakai-monitoring: previews -->\n{report.written([preview], RUN)}"
    ]
    assert "second" not in str(comments[:4])


def test_one_issue_a_stack_is_opened_updated_and_closed(
    api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
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
    api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api.refuses = True
    (tmp_path / "prod.txt").write_text("text")
    assert run(monkeypatch, "comment", "--number", 7, tmp_path / "prod.txt") == 1
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
    text = report.written(files, RUN)
    assert len(text) <= report.LIMIT
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
