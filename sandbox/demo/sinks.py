"""The receivers of a demo: a mail server, a Slack and a heartbeat service that keep what they get."""

import email
import json
import logging
import threading
import time
import warnings
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

# Alertmanager takes LOGIN where it is offered, and does not understand how aiosmtpd asks for it.
NOT_OFFERED = ["LOGIN"]


@dataclass(frozen=True)
class Mail:
    """A mail that arrived, and when (seconds of the monotonic clock)."""

    at: float
    to: str
    subject: str
    text: str
    html: str


@dataclass(frozen=True)
class Post:
    """A message that arrived at a webhook, and when (seconds of the monotonic clock)."""

    at: float
    body: dict[str, Any]


def mail_of(envelope: Envelope) -> Mail:
    """Return what came in an envelope, now."""
    content = envelope.content or b""
    message = email.message_from_bytes(
        content if isinstance(content, bytes) else content.encode(), EmailMessage, policy=default
    )
    leaves = [part for part in message.walk() if not part.is_multipart()]
    parts = {part.get_content_subtype(): part.get_content().replace("\r\n", "\n") for part in leaves}
    return Mail(
        at=time.monotonic(),
        to=", ".join(envelope.rcpt_tos),
        subject=str(message["Subject"]),
        text=str(parts.get("plain", "")),
        html=str(parts.get("html", "")),
    )


class MailServer:
    """An SMTP server on 127.0.0.1:`port` that asks for a login, and takes `password` only."""

    def __init__(self, port: int, password: str) -> None:
        self.received: list[Mail] = []
        self._port = port
        self._password = password
        self._controller: Controller | None = None
        self.start()

    def start(self) -> None:
        """Answer from now on."""
        warnings.filterwarnings("ignore", "Requiring AUTH while not requiring TLS", UserWarning)
        logging.getLogger("mail.log").setLevel(logging.ERROR)
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=self._port,
            authenticator=self._authenticate,
            auth_required=True,
            auth_require_tls=False,
            auth_exclude_mechanism=NOT_OFFERED,
            server_hostname="localhost",
        )
        self._controller.start()

    def stop(self) -> None:
        """Refuse connections from now on."""
        if self._controller:
            self._controller.stop(no_assert=True)
            self._controller = None

    def _authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        right = isinstance(data, LoginPassword) and data.password == self._password.encode()
        return AuthResult(success=right, handled=False)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        """Keep a mail (the name is aiosmtpd's)."""
        self.received.append(mail_of(envelope))
        return "250 OK"


class Webhooks:
    """An HTTP server on 127.0.0.1:`port` that keeps what is posted to `/slack` and `/heartbeat`."""

    def __init__(self, port: int) -> None:
        self.received: dict[str, list[Post]] = {"/slack": [], "/heartbeat": []}
        received = self.received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                received[self.path].append(Post(time.monotonic(), body))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()
