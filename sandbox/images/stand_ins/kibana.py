"""A stand-in for Kibana, in what ECK, a kubelet and `components/logs/index/set_up.py` ask of it.

It reads kibana.yml as ECK writes it, speaks its TLS, is available while Elasticsearch takes the service account token,
lets callers log in at Elasticsearch, and keeps saved objects there, of which it judges type and references alone.
"""

import email
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from .web import Answer, Request, fail, say, serve

CONFIG = Path("/usr/share/kibana/config/kibana.yml")
# Kibana refuses to start with a key that it does not know. These are what ECK writes, and what this program adds.
KNOWN = {
    "elasticsearch.hosts",
    "elasticsearch.serviceAccountToken",
    "elasticsearch.ssl.certificateAuthorities",
    "elasticsearch.ssl.verificationMode",
    "monitoring.ui.container.elasticsearch.enabled",
    "server.host",
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
# Kibana's own indices begin with .kibana_, and its service account may do anything with them.
INDEX = ".kibana_stand_in"
# As Kibana's own: the cluster stays green with one node, and nothing of an object becomes a field.
_INDEX_SETTINGS = {
    "settings": {"index": {"hidden": True, "auto_expand_replicas": "0-1", "number_of_shards": 1}},
    "mappings": {"dynamic": False},
}
TYPES = {"config", "dashboard", "index-pattern", "lens", "map", "query", "search", "tag", "visualization"}
DEFAULT_SPACE = "default"
Object = dict[str, Any]


class Elasticsearch:
    """Elasticsearch, asked with whatever authorization is at hand."""

    def __init__(self, host: str, token: str, authorities: str) -> None:
        self._host, self._own = host, f"Bearer {token}"
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # ECK's verificationMode is `certificate`.
        self._tls.check_hostname = False
        self._tls.load_verify_locations(readable(authorities))

    def ask(self, method: str, path: str, body: bytes = b"", authorization: str = "") -> tuple[int, Object]:
        """Return status and answer, as the service account unless another is given; 503 where nobody answers."""
        headers = {"Authorization": authorization or self._own, "Content-Type": "application/json"}
        request = urllib.request.Request(self._host + path, body or None, headers, method=method)  # noqa: S310
        try:
            # ECK's probe waits for 5 s.
            with urllib.request.urlopen(request, timeout=4, context=self._tls) as answer:  # noqa: S310
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, {"error": error.read().decode(errors="replace")}
        except (OSError, ValueError) as error:
            return 503, {"error": str(error)}

    def has(self, id_: str) -> bool:
        """Return whether there is a saved object of this type and id."""
        return self.ask("GET", f"/{INDEX}/_doc/{id_}")[0] == 200

    def create(self, one: Object) -> bool:
        """Write a saved object, and return whether it was not there before."""
        document = json.dumps({"object": json.dumps(one)}).encode()
        return self.ask("PUT", f"/{INDEX}/_create/{one['type']}:{one['id']}?refresh=true", document)[0] == 201

    def put(self, objects: list[Object]) -> None:
        """Write saved objects into their index: Kibana itself keeps nothing.

        Raises:
            OSError: Elasticsearch refuses.
        """
        self.ask("PUT", f"/{INDEX}", json.dumps(_INDEX_SETTINGS).encode())  # 400 where it is there
        lines: list[Object] = []
        for one in objects:
            lines += [{"index": {"_id": f"{one['type']}:{one['id']}"}}, {"object": json.dumps(one)}]
        body = "".join(json.dumps(line) + "\n" for line in lines).encode()
        status, answer = self.ask("POST", f"/{INDEX}/_bulk?refresh=true", body)
        if status != 200 or answer.get("errors"):
            raise OSError(f"Elasticsearch answers {status} to saved objects: {json.dumps(answer)[:300]}")


class Kibana:
    """The requests that are answered."""

    def __init__(self, elasticsearch: Elasticsearch) -> None:
        self._elasticsearch = elasticsearch

    def respond(self, request: Request) -> Answer:
        """Answer a request: nothing but the state without a login."""
        if request.path == "/api/status":
            return self._status()
        if request.method != "GET" and "kbn-xsrf" not in request.headers:
            return _refuse(400, "Request must contain a kbn-xsrf header.")
        login = request.headers.get("Authorization")
        status, _ = self._elasticsearch.ask("GET", "/_security/_authenticate", b"", login) if login else (401, None)
        if status != 200:
            return _refuse(status, "unable to authenticate user for REST request")
        space, path = _in_space(request.path)
        if space != DEFAULT_SPACE and not self._elasticsearch.has(f"space:{space}"):
            return _refuse(404, "Not Found")
        match request.method, path:
            case "POST", "/api/spaces/space":
                made = json.loads(request.body)
                if not self._elasticsearch.create({"type": "space", "id": made["id"], "attributes": made}):
                    return _refuse(409, f"A space with the identifier {made['id']} already exists.")
                return Answer(200, made)
            case "POST", "/api/saved_objects/_import":
                return self._import(request, space)
            case "POST", "/api/data_views/default":
                attributes = {"defaultIndex": json.loads(request.body)["data_view_id"]}
                # One that was chosen before stays.
                self._elasticsearch.create({"type": "config", "id": space, "attributes": attributes})
                return Answer(200, {"acknowledged": True})
            case "GET", "/api/data_views":
                _, body = self._elasticsearch.ask("GET", f"/{INDEX}/_search?size=1000")
                objects = [json.loads(hit["_source"]["object"]) for hit in body.get("hits", {}).get("hits", [])]
                here = [one for one in objects if one["type"] == "index-pattern" and one["space"] == space]
                return Answer(200, {"data_view": [{"id": one["id"], **one["attributes"]} for one in here]})
        return _refuse(404, "Not Found")

    def _status(self) -> Answer:
        status, body = self._elasticsearch.ask("GET", "/_security/_authenticate")
        if status == 200 and body.get("username") == "elastic/kibana":
            return Answer(200, {"status": {"overall": {"level": "available"}}})
        say(f"unavailable: Elasticsearch answers {status} to the service account token: {json.dumps(body)[:300]}")
        return Answer(503, {"status": {"overall": {"level": "critical"}}})

    def _import(self, request: Request, space: str) -> Answer:
        content_type = request.headers.get("Content-Type", "").encode()
        form = email.message_from_bytes(b"Content-Type: " + content_type + b"\r\n\r\n" + request.body)
        files = [part for part in form.walk() if str(part.get_filename()).endswith(".ndjson")]
        if not files:
            return _refuse(400, "[request body.file]: expected a file whose name ends in .ndjson")
        lines = bytes(files[0].get_payload(decode=True)).decode().splitlines()
        objects = [json.loads(line) for line in lines if line.strip()]
        if errors := list(_wrong(objects)):
            return Answer(200, {"success": False, "successCount": 0, "errors": errors})
        # An id is one object's in all spaces: in another one than the default, an import gives it another one.
        ids = [one["id"] if space == DEFAULT_SPACE else f"{one['id']}-{space}" for one in objects]
        self._elasticsearch.put([{**one, "id": id_, "space": space} for one, id_ in zip(objects, ids, strict=True)])
        results = [
            {"type": one["type"], "id": one["id"], "destinationId": id_} for one, id_ in zip(objects, ids, strict=True)
        ]
        return Answer(200, {"success": True, "successCount": len(objects), "successResults": results})


def _wrong(objects: list[Object]) -> Iterator[Object]:
    known = {(one["type"], one["id"]) for one in objects}
    for one in objects:
        missing = [each for each in one.get("references", []) if (each["type"], each["id"]) not in known]
        kind = "missing_references" if one["type"] in TYPES else "unsupported_type"
        if missing or kind == "unsupported_type":
            yield {"type": one["type"], "id": one["id"], "error": {"type": kind, "references": missing}}


def _in_space(path: str) -> tuple[str, str]:
    """Return the space that a path is about, and the path in it."""
    if not path.startswith("/s/"):
        return DEFAULT_SPACE, path
    space, _, rest = path.removeprefix("/s/").partition("/")
    return space, f"/{rest}"


def _refuse(status: int, message: str) -> Answer:
    return Answer(status, {"statusCode": status, "message": message})


def read(file: Path) -> Object:
    """Return the settings by their dotted names; exit where Kibana would."""
    try:
        settings = dict(_flat(yaml.safe_load(file.read_text()), ""))
    except (OSError, yaml.YAMLError) as error:
        fail(f"FATAL  Error: cannot read {file}: {error}")
    if unknown := sorted(settings.keys() - KNOWN):
        keys = ", ".join(unknown)
        fail(f"FATAL  Error: Unknown configuration key(s): {keys}. (Those that the stand-in knows are its KNOWN.)", 64)
    url = str(settings.get("server.publicBaseUrl"))
    if not url.startswith(("http://", "https://")) or url.count("/") != 2:
        fail(f"FATAL  Error: [config validation of [server].publicBaseUrl]: {url} is no URL of a server", 78)
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


def main() -> None:
    """Read the configuration and answer until SIGTERM."""
    settings = read(CONFIG)
    try:
        (host,) = settings["elasticsearch.hosts"]
        authorities = settings["elasticsearch.ssl.certificateAuthorities"]
        elasticsearch = Elasticsearch(host, settings["elasticsearch.serviceAccountToken"], authorities)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(readable(settings["server.ssl.certificate"]), readable(settings["server.ssl.key"]))
    except (OSError, KeyError) as error:
        fail(f"FATAL  Error: a certificate or key of {CONFIG} cannot be used: {error}")
    serve(settings["server.host"], 5601, Kibana(elasticsearch).respond, tls)


if __name__ == "__main__":
    main()
