"""A stand-in for kiwigrid/k8s-sidecar, which brings labelled ConfigMaps into a folder that Grafana reads.

It lists, then watches the ConfigMaps of its namespace that have a label, writes each of their keys as a file, and
after a change sends a request with basic authentication. It reads the variables that Grafana's chart sets; of the
others that the real one has, it refuses those that change what it does.
"""

import base64
import http.client
import json
import os
import signal
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
# The server ends a watch after the first, and one that says nothing is given up after the second.
WATCH_SECONDS, SILENT_SECONDS = 60, 66
REFUSED = {"FOLDER_ANNOTATION", "LABEL_VALUE", "NAMESPACE", "REQ_PAYLOAD", "REQ_SKIP_INIT", "RESOURCE_NAME"}
REFUSED |= {"SCRIPT", "SKIP_TLS_VERIFY", "UNIQUE_FILENAMES"}
REQUEST_TRIES, REQUEST_SECONDS, PAUSE_SECONDS = 6, 10, 5.0


class Cluster:
    """The API server, asked as the pod's ServiceAccount."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Find the API server.

        Raises:
            KeyError, OSError: this is no pod, or its token is not mounted.
        """
        self._address = environment["KUBERNETES_SERVICE_HOST"], int(environment["KUBERNETES_SERVICE_PORT"])
        self.namespace = (ACCOUNT / "namespace").read_text().strip()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._tls.load_verify_locations(ACCOUNT / "ca.crt")

    def config_maps(self, label: str) -> list[dict[str, Any]]:
        """Return the ConfigMaps with the label.

        Raises:
            OSError: the API server does not answer, or refuses.
        """
        items: list[dict[str, Any]] = json.loads(next(self._lines(label, {})))["items"]
        return items

    def changes(self, label: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield what happens to the ConfigMaps with the label, those that are there first, until the watch ends.

        Raises:
            OSError: the API server does not answer, or refuses.
        """
        for line in self._lines(label, {"watch": "true", "timeoutSeconds": str(WATCH_SECONDS)}):
            event = json.loads(line)
            yield event["type"], event["object"]

    def _lines(self, label: str, query: Mapping[str, str]) -> Iterator[bytes]:
        connection = http.client.HTTPSConnection(*self._address, timeout=SILENT_SECONDS, context=self._tls)
        path = f"/api/v1/namespaces/{self.namespace}/configmaps?"
        path += urllib.parse.urlencode({"labelSelector": label, **query})
        try:
            # It changes while the pod runs.
            token = (ACCOUNT / "token").read_text().strip()
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
            response = connection.getresponse()
            if response.status != 200:
                message = response.read().decode(errors="replace")
                raise OSError(f"({response.status}) Reason: {response.reason}: {message}")
            while line := response.readline():
                yield line
        finally:
            connection.close()


class Folder:
    """The folder, with the files that came from ConfigMaps."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: dict[str, set[str]] = {}

    def put(self, config_map: Mapping[str, Any]) -> bool:
        """Write the files of a ConfigMap and remove those that it has no more. Returns whether anything changed."""
        name, data = config_map["metadata"]["name"], config_map.get("data") or {}
        changed = [self._write(file, text) for file, text in data.items()]
        changed += [self._remove(file) for file in self._files.get(name, set()) - data.keys()]
        self._files[name] = set(data)
        return any(changed)

    def drop(self, config_map: Mapping[str, Any]) -> bool:
        """Remove the files of a ConfigMap. Returns whether there were any."""
        files = self._files.pop(config_map["metadata"]["name"], set()) | set(config_map.get("data") or {})
        removed = [self._remove(file) for file in files]
        return any(removed)

    def _write(self, name: str, text: str) -> bool:
        path = self._path / name
        try:
            if path.exists() and path.read_text() == text:
                return False
            say(f"Writing {path}")
            path.write_text(text)
        except OSError as error:
            say(f"Error when updating from {name!r} into {self._path}: {error}")
            return False
        return True

    def _remove(self, name: str) -> bool:
        path = self._path / name
        try:
            path.unlink()
        except OSError as error:
            say(f"Unable to remove {path}: {error.strerror}")
            return False
        say(f"Removed {path}")
        return True


class Notice:
    """The request that tells Grafana of a change."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._url, self._method = environment.get("REQ_URL", ""), environment.get("REQ_METHOD") or "GET"
        login = f"{environment.get('REQ_USERNAME', '')}:{environment.get('REQ_PASSWORD', '')}"
        self._headers = {"Authorization": f"Basic {base64.b64encode(login.encode('latin1')).decode()}"}

    def send(self) -> None:
        """Send it until the answer is no 5xx, six times at most; that it fails is told and changes nothing."""
        if not self._url:
            return
        pause, response = 0.0, ""
        for _ in range(REQUEST_TRIES):
            time.sleep(pause)
            pause = min(pause * 2 or 2.2, 20)
            request = urllib.request.Request(self._url, headers=self._headers, method=self._method)  # noqa: S310
            try:
                with urllib.request.urlopen(request, timeout=REQUEST_SECONDS) as answer:  # noqa: S310
                    response = f"{answer.status} {answer.reason}"
                    break
            except urllib.error.HTTPError as error:
                response = f"{error.code} {error.reason} {error.read().decode(errors='replace')}"
                if error.code < 500:
                    break
            except OSError as error:
                response = str(error)
        say(f"{self._method} sent to {self._url}. Response: {response}")


def say(text: str) -> None:
    """Write a line to the log."""
    print(text, flush=True)


def follow(cluster: Cluster, label: str, folder: Folder, notice: Notice) -> None:
    """Bring the folder up to date, then keep it so; never returns.

    Raises:
        OSError: the first list cannot be had.
    """
    changed = [folder.put(config_map) for config_map in cluster.config_maps(label)]
    if any(changed):
        notice.send()
    say("Initial sync complete, sidecar is ready.")
    while True:
        try:
            for event, config_map in cluster.changes(label):
                if folder.drop(config_map) if event == "DELETED" else folder.put(config_map):
                    notice.send()
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            say(f"Error when calling kubernetes: {error}")
            time.sleep(PAUSE_SECONDS)


def main() -> int:
    """Follow what the environment says; return the exit status where that cannot begin."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    environment = os.environ
    if missing := [name for name in ("LABEL", "FOLDER") if not environment.get(name)]:
        say(f"Should have added {', '.join(missing)} as environment variable! Exit")
        return 1
    if refused := sorted(REFUSED & environment.keys()):
        say(f"not in this stand-in: {', '.join(refused)}")
        return 1
    if environment.get("METHOD", "WATCH") != "WATCH" or environment.get("RESOURCE", "configmap") != "configmap":
        say("not in this stand-in: METHOD is WATCH, and RESOURCE configmap")
        return 1
    try:
        cluster = Cluster(environment)
        follow(cluster, environment["LABEL"], Folder(Path(environment["FOLDER"])), Notice(environment))
    except (KeyError, OSError, http.client.HTTPException) as error:
        say(f"cannot follow ConfigMaps: {type(error).__name__}: {error}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
