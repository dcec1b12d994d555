"""S3 and STS of AWS as moto plays them, a mail relay, and webhooks, in one process that prints what is sent to people.

`python -m sandbox.internet CERTIFICATES` runs in a pod of the live cluster, whose DNS leads the names of all of them
there; CERTIFICATES is the folder with `internet.crt` and `internet.key`. Each mail and each message is a line of JSON.
"""

import json
import ssl
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple

from sandbox.demo.sinks import NOT_OFFERED, mail_of
from sandbox.internet import HTTPS_PORT, SUBMISSION_PORT

AWS = ".amazonaws.com"
START_SECONDS = 60
MAIL_SERVER = "smtp.gmail.com"
EVERYWHERE = "0.0.0.0"  # noqa: S104  within its pod
Start = Callable[..., Any]


def tell(**what: object) -> None:
    """Print what was sent to somebody."""
    print(json.dumps(what), flush=True)


class Relay:
    """A mail relay that takes every login, and tells which, and delivers nothing."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        Controller(
            self,
            hostname=EVERYWHERE,
            port=SUBMISSION_PORT,
            tls_context=tls,
            require_starttls=True,
            authenticator=self._authenticate,
            auth_required=True,
            auth_exclude_mechanism=NOT_OFFERED,
            # Else the name of the pod is looked up at each connection, and nothing else is answered meanwhile.
            server_hostname=MAIL_SERVER,
            ready_timeout=START_SECONDS,
        ).start()

    def _authenticate(
        self, _server: Any, session: Any, _envelope: Any, _mechanism: str, data: LoginPassword
    ) -> AuthResult:
        session.login = (data.login.decode(), data.password.decode())
        return AuthResult(success=True)

    async def handle_DATA(self, _server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        """Tell of a mail (the name is aiosmtpd's)."""
        mail = mail_of(envelope)
        tell(mail=mail.subject, to=mail.to, text=mail.text, login=session.login)
        return "250 OK"


class Web:
    """Whatever is asked by HTTPS: AWS of moto, and webhooks of everybody else."""

    def __init__(self) -> None:
        self._aws = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        """Answer a request, as WSGI has it."""
        host = environ["HTTP_HOST"]
        if host.endswith(AWS):
            answer: Iterable[bytes] = self._aws(environ, start)
            return answer
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        tell(webhook=f"https://{host}{environ['PATH_INFO']}", body=body.decode())
        start("200 OK", [])
        return [b"ok"]


def main(certificates: Path) -> None:
    """Answer for as long as the pod runs."""
    files = str(certificates / "internet.crt"), str(certificates / "internet.key")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*files)
    Relay(tls)
    run_simple(EVERYWHERE, HTTPS_PORT, Web(), threaded=True, request_handler=MotoRequestHandler, ssl_context=files)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
