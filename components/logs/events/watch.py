"""Write each of Kubernetes' events to stdout, as Kubernetes forgets them after an hour: a line of JSON with ECS names.

An event has a line when it is made, and one each time that it is counted again. How far each namespace is read lies in
a folder that lives as long as the pod: nothing is written twice when the container starts anew, when the API server
goes away, or when it has forgotten the place. A new pod begins with what happened since it was made. Standard library
only, to run in a stock image.

Environment: KUBERNETES_SERVICE_HOST and _PORT; ACCOUNT, the folder of the ServiceAccount's token and ca.crt;
NAMESPACES, whose events are written, beside those of nodes; PLACES, the folder.
Exit status: 0 after SIGTERM, 1 over what nobody thought of.
"""

import contextlib
import http.client
import json
import os
import signal
import ssl
import sys
import threading
import time
import traceback
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

Event = Mapping[str, Any]

# Events of nodes, which are in no namespace, are in this one.
OF_NODES = {"default": "involvedObject.kind=Node"}
PAGE = 500
# How long a watch lasts, and how much longer a connection may be silent.
WATCH_SECONDS, SILENT_SECONDS = 60, 15
PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)

# Held from a line to the note of its place, so that neither SIGTERM nor another line comes between.
writing = threading.Lock()


class ExpiredError(Exception):
    """The API server has forgotten the place from which it was to go on."""


def say(level: str, message: str, **more: object) -> None:
    """Write a line with ECS names, at the time that `more` may have, while `writing` is held."""
    line = {"@timestamp": datetime.now(UTC).isoformat(), "log.level": level, "message": message, **more}
    print(json.dumps(line), flush=True)


@dataclass(frozen=True)
class ApiServer:
    """The API server: its address, and the folder of the account that asks it."""

    host: str
    port: int
    account: Path

    @contextlib.contextmanager
    def ask(self, namespace: str, query: Mapping[str, object]) -> Iterator[http.client.HTTPResponse]:
        """Ask for the events of a namespace; raises ExpiredError, or OSError with what else the answer says."""
        # Both files change while this runs.
        tls = ssl.create_default_context(cafile=str(self.account / "ca.crt"))
        tls.verify_flags &= ~ssl.VERIFY_X509_STRICT  # EKS' authority lacks what Python 3.13 asks of one
        headers = {"Authorization": f"Bearer {(self.account / 'token').read_text().strip()}"}
        timeout = WATCH_SECONDS + SILENT_SECONDS
        connection = http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=tls)
        with contextlib.closing(connection):
            path = f"/api/v1/namespaces/{namespace}/events?{urllib.parse.urlencode(query)}"
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            if answer.status != 200:
                refused(answer.status, answer.read().decode(errors="replace"))
            yield answer


def refused(status: int, why: str) -> NoReturn:
    """Raise what an answer means that is none."""
    if status == http.HTTPStatus.GONE:
        raise ExpiredError
    raise OSError(f"{status}: {why[:300]}")


@dataclass
class Namespace:
    """A namespace whose events are written.

    Args:
        name: of the namespace.
        selector: of fields, if not all events are meant.
        server: that is asked.
        file: notes the resourceVersion up to which all is written.
        since: when the pod was made, in seconds since 1970: what happened before is not written.
    """

    name: str
    selector: str
    server: ApiServer
    file: Path
    since: float

    def __post_init__(self) -> None:
        self.place = int(self.file.read_text()) if self.file.exists() else 0
        self._known = self.place > 0  # to the API server: it can go on from there

    def follow(self) -> None:
        """Write the events for ever."""
        failed = 0
        while True:
            try:
                if self._known:
                    self._watch()
                else:
                    self._list()
                failed = 0
            except ExpiredError:
                self._known = False
                time.sleep(PAUSES[0])
            except (OSError, http.client.HTTPException, ValueError) as error:
                with writing:
                    say("WARNING", f"no events of {self.name}: {error or type(error).__name__}")
                time.sleep(PAUSES[min(failed, len(PAUSES) - 1)])
                failed += 1

    def _list(self) -> None:
        """Write what is there, but for what is written already."""
        found: list[Event] = []
        query: dict[str, object] = {"limit": PAGE, "fieldSelector": self.selector}
        while True:
            with self.server.ask(self.name, query) as answer:
                page = json.load(answer)
            found += [event for event in page["items"] if self._is_new(event)]
            query["continue"] = page["metadata"].get("continue", "")
            if not query["continue"]:
                break
        for event in sorted(found, key=version):
            self._write(event)
        with writing:
            self._reach(version(page))
        self._known = True

    def _is_new(self, event: Event) -> bool:
        return version(event) > self.place if self.place else happened(event) >= self.since

    def _watch(self) -> None:
        """Write what happens from the place on, for a while."""
        query = {
            "watch": "true",
            "resourceVersion": self.place,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": WATCH_SECONDS,
            "fieldSelector": self.selector,
        }
        with self.server.ask(self.name, query) as answer:
            for line in answer:
                change = json.loads(line)
                if change["type"] == "ERROR":
                    refused(change["object"].get("code", 0), change["object"].get("message", ""))
                elif change["type"] in ("ADDED", "MODIFIED"):
                    self._write(change["object"])
                else:  # DELETED, as each is after an hour, or BOOKMARK
                    with writing:
                        self._reach(version(change["object"]))

    def _write(self, event: Event) -> None:
        with writing:
            say(**fields(event))
            self._reach(version(event))

    def _reach(self, place: int) -> None:
        """Note a place, whole or not at all."""
        self.place = max(self.place, place)
        beside = self.file.with_suffix(".new")
        beside.write_text(str(self.place))
        beside.replace(self.file)


def version(event: Event) -> int:
    """Return the resourceVersion, which grows with each change in the cluster."""
    return int(event["metadata"]["resourceVersion"])


def _time(event: Event) -> str:
    """Return when it happened, the last time if it was counted: events of today's kind and of the older one differ."""
    times = ((event.get("series") or {}).get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    return str(next(filter(None, (*times, event["metadata"]["creationTimestamp"]))))


def happened(event: Event) -> float:
    """Return when it happened, in seconds since 1970."""
    return datetime.fromisoformat(_time(event)).timestamp()


def fields(event: Event) -> dict[str, Any]:
    """Return what is written of an event."""
    involved, source = event["involvedObject"], event.get("source") or {}
    node = involved.get("name") if involved.get("kind") == "Node" else source.get("host")
    counted = (event.get("series") or {}).get("count") or event.get("count")
    return {
        "@timestamp": _time(event),
        "level": "WARNING" if event.get("type") == "Warning" else "INFO",
        "log.logger": event.get("reportingComponent") or source.get("component") or "kubernetes",
        "message": event.get("message") or event.get("reason") or "",
        "reason": event.get("reason") or "",
        "object": {key: involved[key] for key in ("kind", "namespace", "name") if key in involved},
        "count": counted or 1,
        **({"node": node} if node else {}),
    }


def main(environment: Mapping[str, str]) -> None:
    """Write the events until SIGTERM."""

    def stop(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with writing:
            os._exit(0)

    def fail(failed: threading.ExceptHookArgs) -> None:
        traceback.print_exception(failed.exc_value, file=sys.stderr)
        os._exit(1)

    signal.signal(signal.SIGTERM, stop)
    threading.excepthook = fail
    host, port = environment["KUBERNETES_SERVICE_HOST"], int(environment["KUBERNETES_SERVICE_PORT"])
    server, places = ApiServer(host, port, Path(environment["ACCOUNT"])), Path(environment["PLACES"])
    since = int(places.stat().st_mtime)  # the folder is as old as the pod, until something is written into it
    for name, selector in {**OF_NODES, **dict.fromkeys(environment["NAMESPACES"].split(), "")}.items():
        namespace = Namespace(name, selector, server, places / name, since)
        threading.Thread(target=namespace.follow, daemon=True).start()
    while True:
        signal.pause()


if __name__ == "__main__":
    main(os.environ)
