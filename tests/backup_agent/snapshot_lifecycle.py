"""Makes of OpenSearch what the backups ask of Elasticsearch: its snapshot lifecycle management, and `s3` repositories.

Elasticsearch itself cannot be had from a registry. Snapshots are made and restored by the real node behind this, into a
folder; what is answered here follows Elastic's reference of the SLM API.
"""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.logs.opensearch import Node

Answer = tuple[int, Any]
LATE_SECONDS = 1


class SnapshotLifecycle:
    """What Elasticsearch has and OpenSearch has not, in front of `node`. `failing` is why the next snapshots fail."""

    def __init__(self, node: Node, port: int) -> None:
        self._node, self._port = node, port
        self.url = f"http://127.0.0.1:{port}"
        self.repositories: dict[str, Any] = {}
        self.policies: dict[str, Any] = {}
        self.requests: list[str] = []
        self.failing = ""

    def answer(self, method: str, path: str, content: Any) -> Answer:
        """Answer a request."""
        self.requests.append(f"{method} {path}")
        match method, path.partition("?")[0].strip("/").split("/"):
            case "PUT", ["_snapshot", name]:
                self.repositories[name] = content
                settings = {"location": content["settings"]["base_path"]}
                settings |= {"readonly": "true"} if content["settings"].get("readonly") else {}
                return self._node.call(method, path, {"type": "fs", "settings": settings})
            case "PUT", ["_slm", "policy", name]:
                self.policies[name] = {"policy": content}
                return 200, {"acknowledged": True}
            case "GET", ["_slm", "policy", name]:
                return 200, {name: self.policies[name]}
            case "PUT", ["_slm", "policy", name, "_execute"]:
                snapshot = f"{name}-{time.time_ns()}"
                # As Elasticsearch does, it answers before the snapshot has begun.
                threading.Timer(LATE_SECONDS, self.execute, [name, snapshot]).start()
                return 200, {"snapshot_name": snapshot}
            case "GET", ["_snapshot", _, _]:
                # OpenSearch does not know index_details.
                return self._node.call(method, path.replace("index_details=true", ""))
            case "POST", ["_snapshot", _, _, "_restore"]:
                # OpenSearch knows no lifecycle, and refuses its settings.
                settings = {"index.lifecycle.indexing_complete": True}
                assert content.pop("index_settings", settings) == settings
        return self._node.call(method, path, content)

    def execute(self, name: str, snapshot: str) -> None:
        """Make a snapshot by the policy `name`."""
        policy = self.policies[name]
        times = {"snapshot_name": snapshot, "start_time": round(time.time() * 1000), "time": round(time.time() * 1000)}
        if self.failing:
            policy["last_failure"] = {**times, "details": self.failing}
            return
        config = {**policy["policy"]["config"], "indices": ",".join(policy["policy"]["config"]["indices"])}
        self._node.ask("PUT", f"/_snapshot/backup/{snapshot}?wait_for_completion=true", config)
        policy["last_success"] = times

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Serve until the context ends."""
        lifecycle = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, answer = lifecycle.answer(self.command, self.path, json.loads(body) if body else None)
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_PUT = do_POST = _answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Tests look at `requests`."""

        server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
