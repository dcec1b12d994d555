"""A stand-in for kiwigrid/k8s-sidecar, which brings labelled ConfigMaps into a folder that Grafana reads.

It lists, then watches the ConfigMaps of its namespace that have a label, writes each of their keys as a file, and
after a change sends a request with basic authentication. Of the variables that it does not know it refuses those that
change what the real one does.
"""

import base64
import http.client
import json
import os
import signal
import ssl
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
WANTED = {"FOLDER", "LABEL", "REQ_METHOD", "REQ_PASSWORD", "REQ_URL", "REQ_USERNAME"}
REFUSED = {"FOLDER_ANNOTATION", "LABEL_VALUE", "NAMESPACE", "REQ_PAYLOAD", "REQ_SKIP_INIT", "RESOURCE_NAME"}
REFUSED |= {"SCRIPT", "SKIP_TLS_VERIFY", "UNIQUE_FILENAMES"}
TRIES, PAUSE_SECONDS = 6, 5.0


def lines(environment: Mapping[str, str], query: Mapping[str, str]) -> Iterator[bytes]:
    """Yield the lines of the API server's answer about the ConfigMaps with the label, asked as the ServiceAccount.

    Raises:
        OSError, KeyError: this is no pod, its token is not mounted, or the API server does not answer, or refuses.
    """
    address = environment["KUBERNETES_SERVICE_HOST"], int(environment["KUBERNETES_SERVICE_PORT"])
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.load_verify_locations(ACCOUNT / "ca.crt")
    namespace, token = ((ACCOUNT / name).read_text().strip() for name in ("namespace", "token"))
    selector = urllib.parse.urlencode({"labelSelector": environment["LABEL"], **query})
    connection = http.client.HTTPSConnection(*address, timeout=66, context=tls)
    try:
        path = f"/api/v1/namespaces/{namespace}/configmaps?{selector}"
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        if response.status != 200:
            raise OSError(f"({response.status}) Reason: {response.reason}: {response.read().decode(errors='replace')}")
        while line := response.readline():
            yield line
    finally:
        connection.close()


def put(folder: Path, config_map: Mapping[str, Any]) -> bool:
    """Write the files of a ConfigMap. Returns whether any is another than it was."""
    changed = False
    for name, text in (config_map.get("data") or {}).items():
        path = folder / name
        if not path.exists() or path.read_text() != text:
            say(f"Writing {path}")
            path.write_text(text)
            changed = True
    return changed


def drop(folder: Path, config_map: Mapping[str, Any]) -> bool:
    """Remove the files of a ConfigMap. Returns that this is a change."""
    for name in config_map.get("data") or {}:
        say(f"Removing {folder / name}")
        (folder / name).unlink(missing_ok=True)
    return True


def notify(environment: Mapping[str, str]) -> None:
    """Tell Grafana of a change, until the answer is no 5xx; that it fails is told and changes nothing."""
    login = base64.b64encode(f"{environment['REQ_USERNAME']}:{environment['REQ_PASSWORD']}".encode()).decode()
    request = urllib.request.Request(environment["REQ_URL"], method=environment["REQ_METHOD"])  # noqa: S310
    request.add_header("Authorization", f"Basic {login}")
    for _ in range(TRIES):
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                response = f"{answer.status} {answer.reason}"
                break
        except urllib.error.HTTPError as error:
            response = f"{error.code} {error.reason} {error.read().decode(errors='replace')}"
            if error.code < 500:
                break
        except OSError as error:
            response = str(error)
        time.sleep(PAUSE_SECONDS)
    say(f"{request.method} sent to {request.full_url}. Response: {response}")


def say(text: str) -> None:
    """Write a line to the log."""
    print(text, flush=True)


def main(environment: Mapping[str, str]) -> int:
    """Follow what the environment says; return the exit status where that cannot begin."""
    if missing := sorted(WANTED - {name for name, value in environment.items() if value}):
        say(f"Should have added {', '.join(missing)} as environment variable! Exit")
        return 1
    kind = environment.get("METHOD", "WATCH"), environment.get("RESOURCE", "configmap")
    if (refused := sorted(REFUSED & environment.keys())) or kind != ("WATCH", "configmap"):
        say(f"not in this stand-in: {', '.join(refused) or kind}")
        return 1
    folder = Path(environment["FOLDER"])
    try:
        tempfile.gettempdir()  # by which the processes of the real one speak to each other
        changed = [put(folder, config_map) for config_map in json.loads(next(lines(environment, {})))["items"]]
        if any(changed):
            notify(environment)
    except (KeyError, OSError, http.client.HTTPException) as error:
        say(f"cannot follow ConfigMaps: {type(error).__name__}: {error}")
        return 1
    say("Initial sync complete, sidecar is ready.")
    while True:
        try:
            for line in lines(environment, {"watch": "true", "timeoutSeconds": "60"}):
                event = json.loads(line)
                if (drop if event["type"] == "DELETED" else put)(folder, event["object"]):
                    notify(environment)
        except (KeyError, OSError, ValueError, http.client.HTTPException) as error:
            say(f"Error when calling kubernetes: {error}")
            time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    sys.exit(main(os.environ))
