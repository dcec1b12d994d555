"""A stand-in that answers the set-up of the logs as Elasticsearch and Kibana do, and fails as they do.

Answers are those of the API references (elastic.co/docs/api/doc/elasticsearch, …/kibana), of Kibana's
`import_saved_objects.ts` and `status_preboot.ts`, and, for errors, those that OpenSearch gives in `tests/logs`.
"""

import email
import email.policy
import json
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PASSWORD = "correct horse"
LOGIN = "Basic " + b64encode(f"elastic:{PASSWORD}".encode()).decode()
Answer = tuple[int, Any]
Fault = Callable[["Stand"], Answer | None]

HEALTH, POLICY, TEMPLATE = "/_cluster/health", "/_ilm/policy/mangakai-logs", "/_index_template/mangakai-logs"
ALIAS, INDEX, MAPPING = "/mangakai-logs/_alias", "/mangakai-logs-000001", "/mangakai-logs/_mapping"
SETTINGS, STATUS, IMPORT = "/mangakai-logs/_settings", "/api/status", "/api/saved_objects/_import"
DEFAULT, SPACE = "/api/data_views/default", "/api/spaces/space"
TEAM_IMPORT, TEAM_DEFAULT = f"/s/team{IMPORT}", f"/s/team{DEFAULT}"
PATHS = [HEALTH, POLICY, TEMPLATE, ALIAS, INDEX, MAPPING, SETTINGS, STATUS, IMPORT, DEFAULT]
PATHS += [SPACE, TEAM_IMPORT, TEAM_DEFAULT]


def refusal(status: int, kind: str, reason: str) -> Answer:
    """Return an error of Elasticsearch."""
    error = {"type": kind, "reason": reason}
    return status, {"error": {"root_cause": [error], **error}, "status": status}


@dataclass
class Stand:
    """What Elasticsearch and Kibana hold, what they were asked, and, by path, how they fail next."""

    kept: dict[str, Any] = field(default_factory=dict)
    indices: dict[str, dict[str, Any]] = field(default_factory=dict)
    objects: dict[str, Any] = field(default_factory=dict)
    default_view: str | None = None
    # What is in the space of people, by the id that it has outside; there it has another one.
    team: dict[str, Any] | None = None
    default_view_of_team: str | None = None
    asked: list[str] = field(default_factory=list)
    faults: dict[str, Iterator[Fault]] = field(default_factory=dict)

    def state(self) -> Any:
        return json.loads(
            json.dumps([self.kept, self.indices, self.objects, self.default_view, self.team, self.default_view_of_team])
        )

    def answer(self, method: str, path: str, headers: Any, content: bytes) -> Answer | None:
        path, _, query = path.partition("?")
        self.asked.append(f"{method} {path}")
        if fault := next(self.faults.get(path, iter(())), None):
            return fault(self)
        if headers["Authorization"] != LOGIN:
            return refusal(
                401, "security_exception", f"unable to authenticate user [elastic] for REST request [{path}]"
            )
        if path.startswith(("/api/", "/s/team/api/")):
            return self.kibana(method, path, query, headers, content)
        return self.elasticsearch(f"{method} {path}", query, json.loads(content or b"null"))

    def elasticsearch(self, request: str, query: str, body: Any) -> Answer:
        if request == f"GET {HEALTH}":
            return 200, {"cluster_name": "mangakai-logs", "status": "green", "timed_out": False}
        if request == f"GET {ALIAS}":
            found = {
                name: {"aliases": aliases}
                for name, aliases in self.indices.items()
                if "mangakai-logs" in (name, *aliases)
            }
            return (200, found) if found else refusal(404, "index_not_found_exception", "no such index [mangakai-logs]")
        if request == f"PUT {INDEX}":
            if "mangakai-logs-000001" in self.indices:
                reason = "index [mangakai-logs-000001/uT3rebrgTUuFQd0sERL7Dw] already exists"
                return refusal(400, "resource_already_exists_exception", reason)
            self.indices["mangakai-logs-000001"] = body["aliases"]
            return 200, {"acknowledged": True, "shards_acknowledged": True, "index": "mangakai-logs-000001"}
        assert request in [f"PUT {path}" for path in (POLICY, TEMPLATE, MAPPING, SETTINGS)], request
        assert request != f"PUT {MAPPING}" or query == "write_index_only=true"
        self.kept[request] = body
        return 200, {"acknowledged": True}

    def kibana(self, method: str, path: str, query: str, headers: Any, content: bytes) -> Answer:
        if path == STATUS:
            return 200, {"status": {"overall": {"level": "available"}}}
        if not headers["kbn-xsrf"]:
            return 400, {
                "statusCode": 400,
                "error": "Bad Request",
                "message": "Request must contain a kbn-xsrf header.",
            }
        if path == DEFAULT:
            wanted = json.loads(content)
            self.default_view = wanted["data_view_id"] if wanted.get("force") else self.default_view or "view"
            return 200, {"acknowledged": True}
        if path == SPACE:
            assert json.loads(content) == {"id": "team", "name": "Team"}
            if self.team is not None:
                return 409, {"statusCode": 409, "error": "Conflict", "message": "A space with the identifier team"}
            self.team = {}
            return 200, {"id": "team", "name": "Team", "disabledFeatures": []}
        if path == TEAM_DEFAULT:
            self.default_view_of_team = self.default_view_of_team or json.loads(content)["data_view_id"]
            return 200, {"acknowledged": True}
        assert (method, query) == ("POST", "overwrite=true")
        form = email.message_from_bytes(
            f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + content, policy=email.policy.default
        )
        [part] = form.iter_parts()
        assert part["Content-Disposition"].params["name"] == "file"
        if not str(part.get_filename()).endswith(".ndjson"):
            return 400, {"statusCode": 400, "error": "Bad Request", "message": "Invalid file extension"}
        items = [json.loads(line) for line in part.get_content().decode().split("\n")]
        known = {item["id"] for item in items} | set(self.objects)
        lost = {item["id"]: [r for r in item["references"] if r["id"] not in known] for item in items}
        errors = [
            {**item, "meta": {}, "error": {"type": "missing_references", "references": lost[item["id"]]}}
            for item in items
            if lost[item["id"]]
        ]
        imported = {item["id"]: item for item in items if not lost[item["id"]]}
        results: list[dict[str, Any]] = [{"type": item["type"], "id": id_} for id_, item in imported.items()]
        if path == IMPORT:
            self.objects.update(imported)
        else:
            assert self.team is not None, "404: there is no such space"
            self.team.update(imported)
            results = [{**each, "destinationId": f"{each['id']} of team"} for each in results]
        answer = {"successCount": len(imported), "success": not errors, "warnings": [], "successResults": results}
        return 200, answer | ({"errors": errors} if errors else {})


def dropped(_: Stand) -> None:
    """Close the connection without an answer."""


def says(status: int, body: Any) -> Fault:
    return lambda _: (status, body)


PASSING: dict[str, Fault] = {
    "429": says(*refusal(429, "circuit_breaking_exception", "[parent] Data too large")),
    "500": says(500, {"statusCode": 500, "error": "Internal Server Error", "message": "An internal server error"}),
    "503": says(503, "Kibana server is not ready yet"),
    "408": says(408, {"cluster_name": "mangakai-logs", "timed_out": True}),
    "dropped": dropped,
}


@contextmanager
def serving(stand: Stand, context: ssl.SSLContext, port: int = 0) -> Iterator[str]:
    """Serve `stand` on 127.0.0.1, and yield the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"] or 0))
            answer = stand.answer(self.command, self.path, self.headers, content)
            if answer is None:
                return
            status, body = answer
            text = body if isinstance(body, str) else json.dumps(body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_PUT = do_POST = do  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Authority:
    """A certificate authority of a test, and a server's context with a certificate for 127.0.0.1."""

    pem: bytes
    context: ssl.SSLContext


def authority(folder: Path) -> Authority:
    key, leaf = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer, subject = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{folder.name} {name}")]) for name in ("ca", "server")
    )
    now = datetime.now(UTC)

    def signed(name: x509.Name, public: ec.EllipticCurvePublicKey, extension: x509.ExtensionType) -> bytes:
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(public)
        builder = builder.serial_number(x509.random_serial_number()).add_extension(extension, critical=False)
        builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
        return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    # No key identifiers: a company's own authority may lack them, and Python 3.13 would mind by default.
    pem = signed(issuer, key.public_key(), x509.BasicConstraints(ca=True, path_length=None))
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    private = leaf.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(private + signed(subject, leaf.public_key(), names))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return Authority(pem, context)
