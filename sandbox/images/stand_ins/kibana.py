"""A stand-in for Kibana, in what ECK, a kubelet and `components/logs/index/set_up.py` ask of it.

It reads kibana.yml as ECK writes it, speaks its TLS, is available while Elasticsearch takes the service account token,
lets callers log in at Elasticsearch, and keeps saved objects there. It shows nothing and judges no saved object but for
its type and references.
"""

import email
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from .web import Answer, Request, fail, say, serve

CONFIG = Path("/usr/share/kibana/config/kibana.yml")
# Kibana refuses to start with a key that it does not know. These are what ECK writes, and what this program adds; what
# it adds one day has its line here.
KNOWN = {
    "elasticsearch.hosts",
    "elasticsearch.serviceAccountToken",
    "elasticsearch.ssl.certificateAuthorities",
    "elasticsearch.ssl.verificationMode",
    "monitoring.ui.container.elasticsearch.enabled",
    "server.host",
    "server.port",
    "server.publicBaseUrl",
    "server.ssl.certificate",
    "server.ssl.enabled",
    "server.ssl.key",
    "telemetry.enabled",
    "xpack.encryptedSavedObjects.encryptionKey",
    "xpack.license_management.ui.enabled",
    "xpack.reporting.encryptionKey",
    "xpack.security.encryptionKey",
}
ACCOUNT = "elastic/kibana"
# Kibana's own indices begin with .kibana_, and its service account may do anything with them.
INDEX = ".kibana_stand_in"
# As Kibana's own: the cluster stays green with one node, and nothing of an object becomes a field.
_INDEX_SETTINGS = json.dumps(
    {
        "settings": {"index": {"hidden": True, "auto_expand_replicas": "0-1", "number_of_shards": 1}},
        "mappings": {"dynamic": False},
    }
).encode()
TYPES = {"config", "dashboard", "index-pattern", "lens", "map", "query", "search", "tag", "visualization"}
# ECK's probe waits for 5 s.
_SECONDS = 4


class Elasticsearch:
    """Elasticsearch, asked with whatever authorization is at hand."""

    def __init__(self, hosts: list[str], token: str, authorities: list[str], mode: str) -> None:
        self._hosts, self._own = hosts, f"Bearer {token}"
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._tls.check_hostname = mode == "full"
        if mode == "none":
            self._tls.verify_mode = ssl.CERT_NONE
        for file in authorities:
            self._tls.load_verify_locations(readable(file))

    def user(self, authorization: str = "") -> tuple[int, str]:
        """Return the status of a login and the user's name; without `authorization`, of the service account."""
        status, body = self.ask("GET", "/_security/_authenticate", authorization=authorization)
        return status, str(body.get("username", ""))

    def ask(self, method: str, path: str, body: bytes = b"", authorization: str = "") -> tuple[int, dict[str, Any]]:
        """Return status and answer; 503 where nobody answers."""
        headers = {"Authorization": authorization or self._own, "Content-Type": "application/json"}
        failure: Exception | None = None
        for host in self._hosts:
            request = urllib.request.Request(host + path, body or None, headers, method=method)  # noqa: S310
            try:
                with urllib.request.urlopen(request, timeout=_SECONDS, context=self._tls) as answer:  # noqa: S310
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as error:
                return error.code, _object(error.read())
            except (OSError, ValueError) as error:
                failure = error
        return 503, {"error": str(failure)}


class SavedObjects:
    """The saved objects, which are documents of one index: Kibana itself keeps nothing."""

    def __init__(self, elasticsearch: Elasticsearch) -> None:
        self._elasticsearch = elasticsearch

    def all(self, type_: str = "") -> dict[tuple[str, str], dict[str, Any]]:
        """Return the objects by type and id, those of one type if it is given.

        Raises:
            OSError: Elasticsearch refuses.
        """
        status, body = self._elasticsearch.ask("GET", f"/{INDEX}/_search?size=1000")
        if status == 404:
            return {}
        if status != 200:
            raise OSError(f"Elasticsearch answers {status} for the saved objects: {json.dumps(body)[:300]}")
        objects = (json.loads(hit["_source"]["object"]) for hit in body["hits"]["hits"])
        return {(one["type"], one["id"]): one for one in objects if type_ in ("", one["type"])}

    def put(self, objects: list[dict[str, Any]]) -> None:
        """Write objects, and make them visible at once.

        Raises:
            OSError: Elasticsearch refuses.
        """
        self._elasticsearch.ask("PUT", f"/{INDEX}", _INDEX_SETTINGS)  # 400 where it is there
        lines: list[dict[str, Any]] = []
        for one in objects:
            lines += [{"index": {"_id": f"{one['type']}:{one['id']}"}}, {"object": json.dumps(one)}]
        body = "".join(json.dumps(line) + "\n" for line in lines).encode()
        status, answer = self._elasticsearch.ask("POST", f"/{INDEX}/_bulk?refresh=true", body)
        if status != 200 or answer.get("errors"):
            raise OSError(f"Elasticsearch answers {status} to saved objects: {json.dumps(answer)[:300]}")


class Kibana:
    """The requests that are answered."""

    def __init__(self, elasticsearch: Elasticsearch) -> None:
        self._elasticsearch, self._objects = elasticsearch, SavedObjects(elasticsearch)
        self._available = False

    def respond(self, request: Request) -> Answer:
        """Answer a request: nothing but the state and the page for the login without a login."""
        if request.path == "/api/status":
            return self._status()
        if request.path == "/":
            return Answer(302, {}, headers={"Location": "/login?next=%2F"})
        if request.path == "/login":
            return Answer(200, b"<title>Elastic</title>Stand-in of Kibana\n", "text/html")
        if request.method != "GET" and "kbn-xsrf" not in request.headers:
            return _refuse(400, "Request must contain a kbn-xsrf header.")
        if "Authorization" not in request.headers:
            return _refuse(401, "missing authentication credentials for REST request")
        status, _ = self._elasticsearch.user(request.headers["Authorization"])
        if status != 200:
            return _refuse(status, "unable to authenticate user for REST request")
        return self._of_a_user(request)

    def _status(self) -> Answer:
        status, user = self._elasticsearch.user()
        available = status == 200 and user == ACCOUNT
        if available != self._available:
            level = "available" if available else "unavailable"
            say(f"{level}: Elasticsearch answers {status} to the service account token, which is of {user or 'nobody'}")
        self._available = available
        level = "available" if available else "critical"
        return Answer(200 if available else 503, {"status": {"overall": {"level": level}}})

    def _of_a_user(self, request: Request) -> Answer:
        match request.method, request.path:
            case "POST", "/api/saved_objects/_import":
                return self._import(request)
            case "GET", "/api/saved_objects/_find":
                found = list(self._objects.all(request.query.get("type", "")).values())
                return Answer(200, {"total": len(found), "saved_objects": found})
            case "GET", "/api/data_views":
                views = self._objects.all("index-pattern")
                return Answer(200, {"data_view": [{"id": one["id"], **one["attributes"]} for one in views.values()]})
            case "GET", "/api/data_views/default":
                return Answer(200, {"data_view_id": self._default()})
            case "POST", "/api/data_views/default":
                return self._choose(_object(request.body))
        return _refuse(404, "Not Found")

    def _import(self, request: Request) -> Answer:
        form = email.message_from_bytes(
            b"Content-Type: " + request.headers.get("Content-Type", "").encode() + b"\r\n\r\n" + request.body
        )
        files = [part for part in form.walk() if part.get_param("name", header="content-disposition") == "file"]
        if not files or not str(files[0].get_filename()).endswith(".ndjson"):
            return _refuse(400, "[request body.file]: expected a file whose name ends in .ndjson")
        try:
            lines = bytes(files[0].get_payload(decode=True)).decode().splitlines()
            objects = [one for one in map(json.loads, filter(str.strip, lines)) if "exportedCount" not in one]
        except ValueError as error:
            return _refuse(400, f"Unexpected token in the file: {error}")
        errors = list(self._wrong(objects, request.query.get("overwrite") == "true"))
        if not errors:
            self._objects.put(objects)
        return Answer(
            200,
            {
                "success": not errors,
                "successCount": 0 if errors else len(objects),
                **({"errors": errors} if errors else {}),
            },
        )

    def _wrong(self, objects: list[dict[str, Any]], overwrite: bool) -> Iterator[dict[str, Any]]:
        there = self._objects.all()
        known = {*there, *((one["type"], one["id"]) for one in objects)}
        for one in objects:
            missing = [each for each in one.get("references", []) if (each["type"], each["id"]) not in known]
            error: dict[str, Any] = {}
            if one["type"] not in TYPES:
                error = {"type": "unsupported_type"}
            elif missing:
                error = {"type": "missing_references", "references": missing}
            elif not overwrite and (one["type"], one["id"]) in there:
                error = {"type": "conflict"}
            if error:
                yield {"type": one["type"], "id": one["id"], "error": error}

    def _default(self) -> str:
        chosen = self._objects.all("config").get(("config", "default"), {"attributes": {}})
        return str(chosen["attributes"].get("defaultIndex", ""))

    def _choose(self, body: dict[str, Any]) -> Answer:
        if not isinstance(body.get("data_view_id"), str):
            return _refuse(400, "[request body.data_view_id]: expected value of type [string]")
        if body.get("force") or not self._default():
            attributes = {"defaultIndex": body["data_view_id"]}
            self._objects.put([{"type": "config", "id": "default", "attributes": attributes}])
        return Answer(200, {"acknowledged": True})


def _refuse(status: int, message: str) -> Answer:
    return Answer(status, {"statusCode": status, "message": message})


def _object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body or b"{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def read(file: Path) -> dict[str, Any]:
    """Return the settings by their dotted names, however nested; exit where Kibana would."""
    try:
        document = yaml.safe_load(file.read_text())
    except OSError as error:
        fail(f"FATAL  Error: cannot read {file}: {error.strerror}")
    except yaml.YAMLError as error:
        fail(f"FATAL  YAMLException: {file}: {error}")
    settings = dict(_flat(document, ""))
    if unknown := sorted(settings.keys() - KNOWN):
        keys = ", ".join(unknown)
        fail(f"FATAL  Error: Unknown configuration key(s): {keys}. (Those that the stand-in knows are its KNOWN.)", 64)
    url = urlsplit(settings.get("server.publicBaseUrl", "http://unset"))
    if url.scheme not in ("http", "https") or not url.netloc or url.path:
        fail(f"FATAL  Error: [config validation of [server].publicBaseUrl]: {url.geturl()} is no URL of a server", 78)
    return settings


def _flat(node: object, prefix: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(node, Mapping):
        yield prefix, node
        return
    for key, value in node.items():
        yield from _flat(value, f"{prefix}.{key}" if prefix else str(key))


def readable(file: str) -> str:
    """Return the path of a file that can be read; the errors of OpenSSL do not name it."""
    with Path(file).open("rb"):
        return file


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def main() -> None:
    """Read the configuration and answer until SIGTERM."""
    settings = read(CONFIG)
    tls = None
    try:
        elasticsearch = Elasticsearch(
            [host.rstrip("/") for host in _list(settings.get("elasticsearch.hosts", "http://localhost:9200"))],
            settings.get("elasticsearch.serviceAccountToken", ""),
            _list(settings.get("elasticsearch.ssl.certificateAuthorities", [])),
            settings.get("elasticsearch.ssl.verificationMode", "full"),
        )
        if settings.get("server.ssl.enabled"):
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(readable(settings["server.ssl.certificate"]), readable(settings["server.ssl.key"]))
    except (OSError, KeyError) as error:
        fail(f"FATAL  Error: a certificate or key of {CONFIG} cannot be used: {error}")
    serve(
        settings.get("server.host", "localhost"), settings.get("server.port", 5601), Kibana(elasticsearch).respond, tls
    )


if __name__ == "__main__":
    main()
