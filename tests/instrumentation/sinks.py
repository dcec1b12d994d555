"""Where spans and errors end in the tests: an OTLP collector and a Sentry that keep what they get."""

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Sinks:
    """An HTTP server on 127.0.0.1:`port`. `spans` are from the collector, the others from the Sentry of `dsn`."""

    def __init__(self, port: int) -> None:
        self.spans: list[Span] = []
        self.events: list[dict[str, Any]] = []
        self.sentry_spans: list[Span] = []
        # Everything that was posted, as it was before compression.
        self.bodies: list[bytes] = []
        self.otlp, self.dsn = f"http://127.0.0.1:{port}", f"http://key@127.0.0.1:{port}/1"
        places = {
            "/v1/traces": lambda body: self.spans.extend(_spans(body)),
            "/api/1/integration/otlp/v1/traces/": lambda body: self.sentry_spans.extend(_spans(body)),
            "/api/1/envelope/": lambda body: self.events.extend(_events(body)),
        }
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
                bodies.append(body)
                places[self.path](body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self) -> "Sinks":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()


def _spans(body: bytes) -> list[Span]:
    request = ExportTraceServiceRequest.FromString(body)
    return [span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans]


def _events(envelope: bytes) -> list[dict[str, Any]]:
    """Return the errors and transactions of an envelope: a line of JSON, then for each item a header and a payload."""
    found, rest = [], envelope.partition(b"\n")[2]
    while rest:
        header, _, rest = rest.partition(b"\n")
        described = json.loads(header)
        length = described.get("length", len(rest.partition(b"\n")[0]))
        payload, rest = rest[:length], rest[length + 1 :]
        if described["type"] in ("event", "transaction"):
            found.append(json.loads(payload))
    return found
