"""Set up what the logs need in Elasticsearch and Kibana; run again, it changes nothing.

In Elasticsearch: the lifecycle policy, the index template, an index to write to behind the write alias if it has none,
and what is new in the template on the indices that are there. In Kibana: the saved objects, and the space in which
people keep their own, both with a default data view. What is sent lies beside this file: lifecycle.json,
index_template.json, *.ndjson. Standard library only, to run in a stock image.

Environment: ELASTICSEARCH_URL, KIBANA_URL; ELASTIC_USERNAME, ELASTIC_PASSWORD; CA_FILE, a certificate, or a folder
of *.crt, as each of the two has its own authority; KIBANA_SPACE, the id of people's space; RETENTION_DAYS, from
rollover to deletion; REPLICAS, of a shard.
Exit status: 0 if all is set up, else 1 with the reason on stderr, or 143 after SIGTERM.
"""

import base64
import contextlib
import functools
import http.client
import json
import os
import signal
import ssl
import string
import sys
import threading
import time
import urllib.parse
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

ALIAS = "mangakai-logs"
VARIABLES = ["ELASTICSEARCH_URL", "KIBANA_URL", "ELASTIC_USERNAME", "ELASTIC_PASSWORD", "CA_FILE"]
VARIABLES += ["KIBANA_SPACE", "RETENTION_DAYS", "REPLICAS"]
PROBE_SECONDS, REQUEST_SECONDS = 5.0, 60.0

say = functools.partial(print, flush=True)


class SetUpError(Exception):
    """What ends the set-up: one sentence for whoever reads the Job's log."""


@dataclass(frozen=True)
class Patience:
    """How long one request is tried again: `seconds` in all, with pauses that grow from 1 s to 5 s."""

    seconds: float = 240
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic

    def attempts(self) -> Iterator[None]:
        """Yield once an attempt, pausing before each but the first, until the time is over."""
        end, pause = self.now() + self.seconds, 1.0
        yield
        while self.now() + pause < end:
            self.sleep(pause)
            pause = min(pause * 2, 5.0)
            yield


@dataclass(frozen=True)
class Answer:
    """An answer: to what, its status, and its body read as JSON where it is JSON, else as text."""

    what: str
    status: int
    body: Any

    def content(self) -> dict[str, Any]:
        """Return the body, an object; that it is something else is a SetUpError."""
        if isinstance(self.body, dict):
            return self.body
        raise SetUpError(f"{self.what}: the answer is no JSON object: {str(self.body)[:500]}")

    def get(self, key: str, type_: type[T]) -> T:
        """Return what the body has under `key`; that it is not there, or of another type, is a SetUpError."""
        value = self.content().get(key)
        if isinstance(value, type_):
            return value
        raise SetUpError(f"{self.what}: the answer has no {key} ({type_.__name__}): {str(self.body)[:500]}")

    def reason(self) -> str:
        """Return why a request failed, in the words of Elasticsearch, of Kibana, or of what stands before them."""
        body = self.body if isinstance(self.body, dict) else {}
        error, reasons = body.get("error"), []
        while isinstance(error, dict):
            reasons.append(str(error.get("reason")))
            error = error.get("caused_by")
        return ": ".join(reasons) or str(body.get("message", self.body))[:500]


class Server:
    """Elasticsearch or Kibana: its name for messages, its base URL, user:password, whom to trust, how long to try."""

    def __init__(self, name: str, url: str, login: str, tls: ssl.SSLContext | None, patience: Patience) -> None:
        self.name, self._url, self._tls, self._patience = name, url, tls, patience
        # Kibana refuses requests without kbn-xsrf; Elasticsearch does not mind it.
        self._headers = {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}", "kbn-xsrf": "set-up"}

    def call(
        self,
        method: str,
        path: str,
        content: object = None,
        content_type: str = "application/json",
        accept: Collection[int] = (),
        timeout: float = REQUEST_SECONDS,
    ) -> Answer:
        """Send a request until it is answered, again after errors that pass: no connection, 408, 429, 5xx.

        Anything but bytes is sent as JSON; an attempt may be silent for `timeout` seconds. The caller deals with error
        statuses in `accept`; any other, a certificate that does not verify, or the end of patience is a SetUpError.
        """
        body = content if isinstance(content, bytes) else json.dumps(content).encode() if content else None
        what, reason = f"{self.name}: {method} {path}", ""
        for _ in self._patience.attempts():
            try:
                headers = {**self._headers, "Content-Type": content_type}
                answer = Answer(what, *self._attempt(method, path, body, headers, timeout))
            except ssl.SSLCertVerificationError as error:
                raise SetUpError(f"{what}: CA_FILE does not verify {self._url}: {error.verify_message}") from None
            except (OSError, http.client.HTTPException) as error:
                reason = f"no answer from {self._url}: {error or type(error).__name__}"
            else:
                if answer.status < 300 or answer.status in accept:
                    return answer
                reason = f"{answer.status}: {answer.reason()}"
                if answer.status < 500 and answer.status not in (408, 429):
                    raise SetUpError(f"{what}: {reason}")
            say(f"waiting for {what}: {reason}")
        raise SetUpError(f"{what}: gave up after {self._patience.seconds:.0f} s: {reason}")

    def _attempt(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], timeout: float
    ) -> tuple[int, Any]:
        address = urllib.parse.urlsplit(self._url).netloc
        connection = http.client.HTTPConnection(address, timeout=timeout)
        if self._tls:
            connection = http.client.HTTPSConnection(address, timeout=timeout, context=self._tls)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
        try:
            return response.status, json.loads(text)
        except ValueError:
            return response.status, text


def set_up_elasticsearch(elasticsearch: Server, folder: Path, values: Mapping[str, str]) -> None:
    """Put the lifecycle policy, then the index template and the indices; `values` fill the files in `folder`."""
    # Without a master this is a 503, so what comes next finds one.
    health = elasticsearch.call("GET", "/_cluster/health?timeout=3s", timeout=PROBE_SECONDS)
    say(f"Elasticsearch answers: cluster {health.get('cluster_name', str)} is {health.get('status', str)}")
    elasticsearch.call("PUT", f"/_ilm/policy/{ALIAS}", read(folder / "lifecycle.json", values))
    say(f"lifecycle policy {ALIAS}: indices go {values['RETENTION_DAYS']} days after their rollover")
    set_up_index(elasticsearch, read(folder / "index_template.json", values))


def read(path: Path, values: Mapping[str, str]) -> Any:
    """Return a JSON file with its placeholders filled in."""
    return json.loads(string.Template(path.read_text()).substitute(values))


def set_up_index(elasticsearch: Server, template: Any) -> None:
    """Put the index template, make the index to write to if there is none, and update those that are there."""
    elasticsearch.call("PUT", f"/_index_template/{ALIAS}", template)
    say(f"index template {ALIAS}: is put")
    made = make_write_index(elasticsearch)
    say(f"write alias {ALIAS}: {f'made, to {made}' if made else 'is there'}")
    update_mapping(elasticsearch, template["template"]["mappings"])
    replicas = template["template"]["settings"]["index"]["number_of_replicas"]
    elasticsearch.call("PUT", f"/{ALIAS}/_settings", {"index": {"number_of_replicas": replicas}})
    say(f"indices behind {ALIAS}: mapping of the template, {replicas} replicas")


def make_write_index(elasticsearch: Server) -> str | None:
    """Make the index to write to, behind the write alias, and return its name; None if there is one.

    It is the first; the next one, where the newest was deleted and so the alias writes to none.
    """
    there = indices(elasticsearch)
    if any(there.values()):
        return None
    name = f"{ALIAS}-{max(map(_number, there), default=0) + 1:06d}"
    aliases = {"aliases": {ALIAS: {"is_write_index": True}}}
    answer = elasticsearch.call("PUT", f"/{name}", aliases, accept=[400])
    if answer.status != 400:
        return name
    # Another run may have been faster just now.
    if any(indices(elasticsearch).values()):
        return None
    raise SetUpError(
        f"Elasticsearch: cannot make {name} with the write alias {ALIAS}: {answer.reason()}. "
        f"If the index is there without the alias, add the alias to it, or delete it; then run this again"
    )


def indices(elasticsearch: Server) -> dict[str, bool]:
    """Return each index behind the alias, and whether it is written to; an index of the alias' name is an error."""
    answer = elasticsearch.call("GET", f"/{ALIAS}/_alias", accept=[404])
    if answer.status == 404:
        return {}
    if ALIAS in answer.content():
        remedy = f"Copy it (POST /_reindex), delete it (DELETE /{ALIAS}), then run this again"
        raise SetUpError(f"Elasticsearch: {ALIAS} is an index, where the write alias of {ALIAS}-* belongs. {remedy}")
    alone = len(answer.content()) == 1
    found = {}
    for name, index in answer.content().items():
        aliases = Answer(answer.what, answer.status, index).get("aliases", dict)
        alias = Answer(answer.what, answer.status, aliases).get(ALIAS, dict)
        # Alone behind its alias, an index is written to unless it says that it is not.
        found[name] = bool(alias.get("is_write_index", alone))
    return found


def _number(index: str) -> int:
    digits = index.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else 0


def update_mapping(elasticsearch: Server, mappings: Any) -> None:
    """Add what is new in the template to the index that is written to; a field's type cannot change there."""
    answer = elasticsearch.call("PUT", f"/{ALIAS}/_mapping?write_index_only=true", mappings, accept=[400])
    if answer.status == 400:
        raise SetUpError(
            f"Elasticsearch: the template does not fit the index that {ALIAS} writes to: {answer.reason()}. "
            f"Start a new index with POST /{ALIAS}/_rollover, then run this again"
        )


def set_up_kibana(kibana: Server, folder: Path, space: str) -> None:
    """Import the saved objects over those that are there, and make `space`, in which people keep their own."""
    kibana.call("GET", "/api/status", timeout=PROBE_SECONDS)
    say("Kibana is available")
    # In one request, as objects of one file may refer to those of another.
    lines = [line for path in sorted(folder.glob("*.ndjson")) for line in path.read_text().split("\n") if line.strip()]
    import_objects(kibana, "", lines)
    data_view = next(line for line in lines if json.loads(line)["type"] == "index-pattern")
    choose_data_view(kibana, "", json.loads(data_view)["id"])
    answer = kibana.call("POST", "/api/spaces/space", {"id": space, "name": space.capitalize()}, accept=[409])
    say(f"space {space}: {'is there' if answer.status == 409 else 'made'}")
    # Over the one that an earlier run has imported: Kibana knows it by the id that it had, and gives it another one.
    for imported in import_objects(kibana, f"/s/{space}", [data_view]):
        choose_data_view(kibana, f"/s/{space}", imported)


def choose_data_view(kibana: Server, of_space: str, id_: str) -> None:
    """Set the default data view of a space if none is set."""
    kibana.call("POST", f"{of_space}/api/data_views/default", {"data_view_id": id_})
    say(f"default data view: {id_}, unless another was chosen")


def import_objects(kibana: Server, of_space: str, lines: list[str]) -> list[str]:
    """Import saved objects, and return the ids that they have there.

    The status is 200 even where Kibana refuses some, so the answer says it.

    Args:
        kibana: which takes them.
        of_space: how the paths of the space begin: with nothing for the default one.
        lines: an object each, as JSON.
    """
    ndjson = "\n".join(lines)
    boundary = uuid.uuid4().hex
    disposition = 'Content-Disposition: form-data; name="file"; filename="objects.ndjson"'
    content = f"--{boundary}\r\n{disposition}\r\nContent-Type: application/ndjson\r\n\r\n{ndjson}\r\n--{boundary}--\r\n"
    form = f"multipart/form-data; boundary={boundary}"
    answer = kibana.call("POST", f"{of_space}/api/saved_objects/_import?overwrite=true", content.encode(), form)
    if not answer.get("success", bool):
        items = [Answer(answer.what, answer.status, item) for item in answer.get("errors", list)]
        refused = [
            f"{item.get('type', str)} {item.get('id', str)}: {json.dumps(item.get('error', dict))}" for item in items
        ]
        raise SetUpError("Kibana: objects that it refused:\n  " + "\n  ".join(refused))
    say(f"saved objects: {answer.get('successCount', int)} imported")
    results = [Answer(answer.what, answer.status, item) for item in answer.get("successResults", list)]
    return [item.get("destinationId" if "destinationId" in item.content() else "id", str) for item in results]


def trust(path: Path) -> ssl.SSLContext:
    """Return a context that trusts the certificate at `path`, or those in that folder, only, and checks host names."""
    # Not ssl.create_default_context: what it asks of authorities from Python 3.13 on, one's own need not fulfil.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for file in sorted(path.glob("*.crt")) if path.is_dir() else [path]:
        try:
            context.load_verify_locations(file)
        except OSError as error:
            raise SetUpError(f"CA_FILE: cannot read a certificate from {file}: {error.strerror}") from None
    return context


def main(environment: Mapping[str, str], folder: Path, patience: Patience) -> int:
    """Set up both programs and return the exit status."""
    try:
        if missing := [name for name in VARIABLES if not environment.get(name)]:
            raise SetUpError(f"not set in the environment: {', '.join(missing)}")
        login = f"{environment['ELASTIC_USERNAME']}:{environment['ELASTIC_PASSWORD']}"
        tls = trust(Path(environment["CA_FILE"]))
        elasticsearch = Server("Elasticsearch", environment["ELASTICSEARCH_URL"], login, tls, patience)
        set_up_elasticsearch(elasticsearch, folder, environment)
        kibana = Server("Kibana", environment["KIBANA_URL"], login, tls, patience)
        set_up_kibana(kibana, folder, environment["KIBANA_SPACE"])
    except SetUpError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1
    say("all is set up")
    return 0


def end_on_sigterm() -> None:
    """From now on SIGTERM ends the process at once, whatever it waits for; run again, it does what is left.

    Without a handler the kernel withholds SIGTERM from the first process of a container. One in Python alone would run
    too late: a look-up of a name is not interrupted for it.
    """
    told, tell = os.pipe()
    os.set_blocking(tell, False)

    def end() -> None:
        while os.read(told, 1)[0] != signal.SIGTERM:
            pass
        os._exit(128 + signal.SIGTERM)

    threading.Thread(target=end, daemon=True).start()
    signal.set_wakeup_fd(tell)
    signal.signal(signal.SIGTERM, lambda *_: None)


if __name__ == "__main__":
    end_on_sigterm()
    sys.exit(main(os.environ, Path(__file__).parent, Patience()))
