"""A way to a storage that writes down what is asked of it."""

import contextlib
import http.client
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REQUEST_SECONDS = 30
KEPT = {"Accept", "Content-Encoding", "Content-Type"}


class Recorder:
    """An HTTP server on a free port of 127.0.0.1 that passes each request on. `asked` holds (method, path) of each."""

    def __init__(self, storage_port: int, edit: Callable[[bytes], bytes] = bytes) -> None:
        """Listen.

        Args:
            storage_port: of the storage, on 127.0.0.1.
            edit: makes what is answered of what the storage answers.
        """
        self.asked: set[tuple[str, str]] = set()
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_request(self) -> None:
                asked.add((self.command, self.path))
                body = b"".join(self.chunks())
                kept = {key: value for key, value in self.headers.items() if key in KEPT}
                storage = http.client.HTTPConnection("127.0.0.1", storage_port, timeout=REQUEST_SECONDS)
                with contextlib.closing(storage):
                    storage.request(self.command, self.path, body or None, kept)
                    found = storage.getresponse()
                    text = edit(found.read())
                self.send_response(found.status)
                self.send_header("Content-Type", found.headers.get("Content-Type", "application/json"))
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def chunks(self) -> Iterator[bytes]:
                if "chunked" in self.headers.get("Transfer-Encoding", ""):
                    while length := int(self.rfile.readline(), 16):
                        yield self.rfile.read(length)
                        self.rfile.readline()
                    self.rfile.readline()
                else:
                    yield self.rfile.read(int(self.headers.get("Content-Length", 0)))

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_request  # noqa: N815

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Recorder":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
