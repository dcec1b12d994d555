"""A stand-in for a cluster's API: it answers with objects by their path, and the kubeconfig leads there."""

import http.server
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.serving import serving

CONTEXT = "x"


@contextmanager
def answering(
    objects: Mapping[str, Any],
    refused: Mapping[str, int] | None = None,
    changes: list[tuple[str, str, Any]] | None = None,
) -> Iterator[str]:
    """Give the address of a server of these objects, whatever the query; what is deleted or patched stays as it was.

    A path in `refused` is answered by its status.

    The path "" is every one. What is to be deleted or patched is added to `changes`: verb, path, patch.
    """
    statuses = refused or {}

    class Answering(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            if status := statuses.get(path, statuses.get("")):
                self.send_error(status)
            elif path in objects:
                self.answer(objects[path])
            else:
                self.send_error(404)

        def do_DELETE(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if changes is not None:
                changes.append((self.command, urlsplit(self.path).path, json.loads(body) if body else None))
            self.answer({})

        do_PATCH = do_DELETE  # noqa: N815

        def answer(self, body: Any) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)) as port:
        yield f"http://127.0.0.1:{port}"


def lead_to(
    address: str, folder: Path, monkeypatch: pytest.MonkeyPatch, user: Mapping[str, object] | None = None
) -> None:
    """Let the context CONTEXT of the kubeconfig lead to an address."""
    kubeconfig = {
        "current-context": CONTEXT,
        "contexts": [{"name": CONTEXT, "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": address}}],
        "users": [{"name": "x", "user": dict(user or {})}],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(kubeconfig))
    # The client reads the variable when it is imported.
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(path))
