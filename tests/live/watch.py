"""Asks services again and again, and prints when one did not serve: a program of a pod of the live cluster.

Its argument is a JSON list of what to ask: URL, body or null, login `user:password` or null. A service counts from its
first answer on. What is refused is asked again after a second, twice, as every client of these services does: the node
learns once a second which pods have stopped. A cluster of Elasticsearch that says red is told at once.
"""

import base64
import json
import ssl
import sys
import threading
import time
import urllib.request

TRIES, PAUSE_SECONDS = 3, 1


def ask(url: str, body: str | None, login: str | None) -> None:
    """Ask once; raises OSError where no answer comes, or none that is one of success."""
    headers = {"Content-Type": "application/json"}
    if login:
        headers["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
    request = urllib.request.Request(url, body.encode() if body else None, headers)  # noqa: S310  of the test's own
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    with urllib.request.urlopen(request, timeout=10, context=tls) as answer:  # noqa: S310  of the test's own
        if b'"status":"red"' in answer.read():
            tell(url, "red")


def tell(url: str, what: object) -> None:
    """Print what was wrong with a service, and when."""
    print(time.strftime("%H:%M:%S"), url, what, flush=True)


def watch(url: str, body: str | None, login: str | None) -> None:
    """Ask a service for as long as the pod runs."""
    served, failed = False, 0
    while True:
        try:
            ask(url, body, login)
            served, failed = True, 0
        except OSError as error:
            failed += 1
            if served and failed >= TRIES:
                tell(url, error)
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    for asked in json.loads(sys.argv[1]):
        threading.Thread(target=watch, args=asked).start()
