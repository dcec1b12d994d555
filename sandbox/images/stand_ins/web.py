"""What the stand-ins that answer requests share: answers as JSON, basic authentication, and an end on SIGTERM."""

import base64
import json
import signal
import ssl
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType
from typing import NoReturn


@dataclass(frozen=True)
class Request:
    """A request, its path without what follows a question mark."""

    method: str
    path: str
    headers: Message
    body: bytes

    def login(self) -> tuple[str, str] | None:
        """Return user and password of basic authentication, or None where there are none."""
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        try:
            user, colon, password = base64.b64decode(value).decode().partition(":")
        except ValueError:
            return None
        return (user, password) if kind.lower() == "basic" and colon else None


@dataclass(frozen=True)
class Answer:
    """An answer: bytes as they are, anything else as JSON."""

    status: int
    content: object
    kind: str = "application/json"


Respond = Callable[[Request], Answer]


def serve(host: str, port: int, respond: Respond, tls: ssl.SSLContext | None = None) -> None:
    """Answer requests until SIGTERM, each in a thread; an exception in `respond` is a 500 with its text.

    Raises:
        OSError: the port is taken.
    """
    server = ThreadingHTTPServer((host, port), _handler(respond))
    server.daemon_threads = True
    if tls:
        # The handshake is the thread's: a client that says nothing must not hold up the others.
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)

    def end(_signal: int, _frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    say(f"listening on {host}:{port}")
    server.serve_forever(poll_interval=0.1)
    say("ended by a signal")


def say(text: str) -> None:
    """Write a line to the log at once."""
    print(text, flush=True)


def fail(text: str, status: int = 1) -> NoReturn:
    """Exit with a message."""
    print(text, file=sys.stderr, flush=True)
    sys.exit(status)


def _handler(respond: Respond) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def _respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = Request(self.command, self.path.partition("?")[0], self.headers, body)
            try:
                answer = respond(request)
            except Exception as error:
                answer = Answer(500, {"message": f"{type(error).__name__}: {error}"})
            self._send(answer)
            # Probes and scrapes come every few seconds.
            if answer.status >= 400 or self.command != "GET":
                say(f"{self.command} {self.path} {answer.status} {self.client_address[0]}")

        def _send(self, answer: Answer) -> None:
            content = answer.content if isinstance(answer.content, bytes) else json.dumps(answer.content).encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _respond  # noqa: N815

        def handle(self) -> None:
            try:
                super().handle()
            except (TimeoutError, ssl.SSLError, ConnectionError) as error:
                say(f"connection of {self.client_address[0]} ended: {error}")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Leave out the line for each request, which `_respond` writes for those that tell something."""

    return Handler
