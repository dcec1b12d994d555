"""JSON over HTTP, with a login and an authority to trust."""

import base64
import http.client
import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from . import BackupError, NotServedError
from .answer import parsed

_SECONDS = 60


class Web:
    """A server: its base URL, `user:password` or "" for none, and the file of its certificate's authority."""

    def __init__(self, url: str, login: str = "", authority: Path | None = None) -> None:
        self._url = url
        self._headers = {"Content-Type": "application/json"}
        if login:
            self._headers["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
        self._tls = None
        if authority:
            # Not ssl.create_default_context: what that asks of authorities from Python 3.13 on, ECK's need not fulfil.
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self._tls.load_verify_locations(authority)

    def call(self, method: str, path: str, content: object = None, *, shape: Any = dict) -> Any:
        """Send a request and return the answer's JSON, which has at least what `shape` says (see answer.py).

        Raises:
            NotServedError: no answer, or a status of the server's own (5xx, 429).
            BackupError: another error status, or another answer.
        """
        what = f"{method} {self._url}{path}"
        body = json.dumps(content).encode() if content is not None else None
        request = urllib.request.Request(self._url + path, body, self._headers, method=method)  # noqa: S310
        try:
            try:
                with urllib.request.urlopen(request, timeout=_SECONDS, context=self._tls) as answer:  # noqa: S310
                    text = answer.read()
            except urllib.error.HTTPError as error:
                kind = NotServedError if error.code >= 500 or error.code == 429 else BackupError
                raise kind(f"{what}: {error.code}: {_reason(error.read().decode(errors='replace'))}") from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise NotServedError(f"{what}: {' '.join(str(error).split()) or type(error).__name__}") from None
        return parsed(what, text, shape)


def _reason(text: str) -> str:
    """Return why a request failed, in the words of Elasticsearch where they are those."""
    try:
        error, reasons = json.loads(text)["error"], []
        while isinstance(error, dict):
            reasons.append(str(error.get("reason")))
            error = error.get("caused_by")
        return ": ".join(reasons) or text[:500]
    except (ValueError, KeyError, TypeError):
        return text[:500]
