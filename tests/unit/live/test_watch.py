"""The program that watches services on a live cluster: it says what did not serve, and nothing while all serve."""

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.live.watcher import PROGRAM


class Service(http.server.BaseHTTPRequestHandler):
    """Answers what `answers` holds at each request, the last again and again, and counts."""

    answers: list[tuple[int, str]]
    asked: threading.Semaphore

    def do_GET(self) -> None:
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())
        self.asked.release()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@contextmanager
def watched(*answers: tuple[int, str]) -> Iterator[tuple[Callable[[int], None], "subprocess.Popen[str]"]]:
    """Watch a service that answers these; yield what waits for so many requests, and the program."""
    Service.answers, Service.asked = list(answers), threading.Semaphore(0)

    def wait(requests: int) -> None:
        assert all(Service.asked.acquire(timeout=20) for _ in range(requests))

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        asked = json.dumps([[f"http://127.0.0.1:{server.server_port}/", None, None]])
        command = [sys.executable, str(PROGRAM), asked]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
            try:
                yield wait, program
            finally:
                program.kill()
                server.shutdown()


def printed(program: "subprocess.Popen[str]") -> str:
    program.kill()
    return program.communicate()[0]


@pytest.mark.parametrize(
    "answers",
    [
        [(503, ""), (503, ""), (503, ""), (200, "")],  # not up yet
        [(200, ""), (503, ""), (503, ""), (200, "")],  # back at the second try again
        [(200, '{"status":"yellow"}')],
    ],
)
def test_nothing_is_said_of_what_serves(answers: list[tuple[int, str]]) -> None:
    with watched(*answers) as (wait, program):
        wait(len(answers) + 1)
        assert printed(program) == ""


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([(200, ""), (503, "")], "HTTP Error 503"),
        ([(200, '{"status":"red"}'), (200, "")], "red"),
    ],
)
def test_what_does_not_serve_is_said(answers: list[tuple[int, str]], said: str) -> None:
    with watched(*answers) as (wait, program):
        wait(5)
        assert said in printed(program)
