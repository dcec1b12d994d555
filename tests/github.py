"""What answers as GitHub's API does, of one repository."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from operations import github_report

REPOSITORY = "mangakai/monitoring"
TOKEN = "ghs-of-a-job"
PULL_REQUEST = 7
COMMENTS = f"/issues/{PULL_REQUEST}/comments"


class GitHub(ThreadingHTTPServer):
    """The comments and issues of one repository, which are lists of 2 a page."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.items: dict[str, list[dict[str, Any]]] = {"/issues": [], COMMENTS: []}
        self.refuses = False

    @property
    def address(self) -> str:
        """Return what GITHUB_API_URL is set to."""
        return f"http://127.0.0.1:{self.server_address[1]}/api/v3"

    def tell(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Set the variables by which a workflow's program finds it, and is let in."""
        monkeypatch.setenv("GITHUB_API_URL", self.address)
        monkeypatch.setenv("GITHUB_REPOSITORY", REPOSITORY)
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)


class _Handler(BaseHTTPRequestHandler):
    server: GitHub

    def answer(self, status: int, body: object) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    @property
    def path_below(self) -> str:
        assert self.headers["Authorization"] == f"Bearer {TOKEN}"
        return urlsplit(self.path).path.removeprefix(f"/api/v3/repos/{REPOSITORY}")

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        items = [
            item
            for item in self.server.items[self.path_below]
            if query.get("state", ["all"])[0] in ("all", item["state"])
        ]
        first = 2 * (int(query["page"][0]) - 1)
        self.answer(200, items[first : first + 2])

    def do_POST(self) -> None:
        if self.server.refuses:
            return self.answer(403, {"message": "Resource not accessible by integration"})
        items = self.server.items[self.path_below]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        number = len(items) + 1
        items.append({"id": number, "number": number, "state": "open", "user": {"login": github_report.AUTHOR}, **body})
        return self.answer(201, items[-1])

    def do_PATCH(self) -> None:
        folder, _, number = self.path_below.rpartition("/")
        items = self.server.items[COMMENTS if folder == "/issues/comments" else folder]
        items[int(number) - 1].update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.answer(200, items[int(number) - 1])

    def log_message(self, *arguments: object) -> None:
        pass
