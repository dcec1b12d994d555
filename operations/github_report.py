"""Bring what a run of CI found to where people read it: one comment on a pull request, one issue a stack.

Run again, it finds the comment or issue of before by a marker that is not shown, and writes it anew: nobody has to
tell the newest of many. Nothing but Python's library is needed. GITHUB_API_URL, GITHUB_REPOSITORY, GITHUB_SERVER_URL
and GITHUB_RUN_ID are what GitHub Actions sets, GITHUB_TOKEN is the job's token.

Exit statuses: 0 it is written, 1 GitHub refused it, 2 wrong usage.
"""

import argparse
import http.client
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

AUTHOR = "github-actions[bot]"
LIMIT = 65_000  # characters; GitHub takes 65,536
_PAGE = 100
_TIMEOUT = 30  # seconds


class ReportError(Exception):
    """GitHub did not take it; the message says why."""


@dataclass(frozen=True)
class GitHub:
    """The REST API, for one repository."""

    api: str
    repository: str
    token: str

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "GitHub":
        """Return the API of the repository whose workflow runs."""
        names = ("GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_TOKEN")
        if missing := [name for name in names if not environment.get(name)]:
            raise ReportError(f"not set: {', '.join(missing)}")
        return cls(*(environment[name] for name in names))

    def ask(self, method: str, path: str, body: Mapping[str, str] | None = None) -> Any:
        """Return what GitHub answers for a path below the repository."""
        url = urlsplit(self.api)
        connect = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        connection = connect(url.netloc, timeout=_TIMEOUT)
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self.token}",
            "User-Agent": "mangakai-monitoring",
        }
        try:
            whole = f"{url.path}/repos/{self.repository}{path}"
            connection.request(method, whole, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise ReportError(f"{url.netloc} cannot be reached: {error}") from error
        finally:
            connection.close()
        if answer.status >= http.client.BAD_REQUEST:
            raise ReportError(f"{method} {path.partition('?')[0]}: {answer.status} {text[:200]}")
        return json.loads(text)

    def own(self, path: str, marker: str) -> dict[str, Any] | None:
        """Return the first of a list that this program wrote with `marker`: anybody can write the marker too."""
        for item in self._all(path):
            if item["user"]["login"] == AUTHOR and marker in (item["body"] or ""):
                return item
        return None

    def _all(self, path: str) -> Iterator[dict[str, Any]]:
        page = 1
        while found := self.ask("GET", f"{path}per_page={_PAGE}&page={page}"):
            yield from found
            page += 1


def comment(github: GitHub, number: int, text: str) -> str:
    """Write the one comment of ours on a pull request, and return what was done."""
    marker = "<!-- mangakai-monitoring: previews -->"
    body = {"body": f"{marker}\n{text}"}
    found = github.own(f"/issues/{number}/comments?", marker)
    if found:
        github.ask("PATCH", f"/issues/comments/{found['id']}", body)
        return f"updated comment {found['id']}"
    return f"wrote comment {github.ask('POST', f'/issues/{number}/comments', body)['id']}"


def issue(github: GitHub, stack: str, text: str) -> str:
    """Write the one open issue about a stack's drift, close it where `text` is empty; return what was done."""
    marker = f"<!-- mangakai-monitoring: drift of {stack} -->"
    found = github.own("/issues?state=open&", marker)
    if not text:
        if found is None:
            return "no drift, and no issue"
        github.ask("PATCH", f"/issues/{found['number']}", {"state": "closed"})
        return f"no drift any more: closed issue {found['number']}"
    body = {"title": f"Drift: {stack} is not what Pulumi made", "body": f"{marker}\n{text}"}
    if found:
        github.ask("PATCH", f"/issues/{found['number']}", body)
        return f"updated issue {found['number']}"
    return f"opened issue {github.ask('POST', '/issues', body)['number']}"


def written(files: Sequence[Path], run: str) -> str:
    """Return the texts of the files as Markdown: of each the last paragraph, which sums it up, and the whole folded.

    Args:
        files: each gets the same share of what GitHub takes; one that is not there is said to be missing.
        run: the address of the run, where the whole is.
    """
    return "\n\n".join(_section(file, LIMIT // len(files), run) for file in files)


def _section(file: Path, limit: int, run: str) -> str:
    title = f"### {file.stem}"
    if not file.is_file():
        return f"{title}\n\nThere is nothing of it: {run} says why."
    text = file.read_text().strip()
    summary = text.rpartition("\n\n")[2]
    room = limit - len(title) - 500  # for what is around both
    if len(summary) > room // 2:
        summary = summary[: room // 2].rpartition("\n")[0] + "\n…"
    end, room = "", room - len(summary)
    if len(text) > room:
        text, end = text[:room].rpartition("\n")[0], f"\n**Cut here: it is too long for GitHub. The whole: {run}**\n"
    whole = f"<details><summary>All of it</summary>\n\n{_code(text)}\n{end}\n</details>"
    return f"{title}\n\n{_code(summary)}\n\n{whole}"


def _code(text: str) -> str:
    longest = max((len(ticks) for ticks in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}diff\n{text}\n{fence}"


def main() -> int:
    """Write one comment or issue. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python3 -m operations.github_report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = parser.add_subparsers(dest="kind", required=True)
    on_pull_request = kinds.add_parser("comment", help="on a pull request")
    on_pull_request.add_argument("--number", type=int, required=True, help="of the pull request")
    on_pull_request.add_argument("files", nargs="+", type=Path, help="what it says")
    of_stack = kinds.add_parser("issue", help="about the drift of a stack; without files it is closed")
    of_stack.add_argument("--stack", required=True)
    of_stack.add_argument("files", nargs="*", type=Path, help="what it says")
    arguments = parser.parse_args()
    variables = os.environ
    parts = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    server, repository, run = (variables.get(name, "") for name in parts)
    text = written(arguments.files, f"{server}/{repository}/actions/runs/{run}") if arguments.files else ""
    try:
        github = GitHub.of(variables)
        if arguments.kind == "comment":
            print(comment(github, arguments.number, text))
        else:
            print(issue(github, arguments.stack, text))
    except ReportError as error:
        print(f"report: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
