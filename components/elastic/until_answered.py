"""Wait until an Elasticsearch answers a user: a program of the standard library alone, run in a pod by `python -c`.

It reads URL, CA (the authority's file) and LOGIN (user:password) from the environment, and says what it waits for
whenever that changes. Exit status: 0 once it is answered, 143 after SIGTERM.
"""

import base64
import http.client
import os
import signal
import ssl
import threading
import time
import urllib.request

PAUSE_SECONDS, REQUEST_SECONDS = 1, 10


def main() -> None:
    """Ask once a second until there is an answer."""
    # A kernel withholds SIGTERM from the first process of a container, and Python's own handler would wait for a name
    # that is being looked up.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    threading.Thread(target=end_when_told, daemon=True).start()
    login = base64.b64encode(os.environ["LOGIN"].encode()).decode()
    headers = {"Authorization": f"Basic {login}"}
    request = urllib.request.Request(os.environ["URL"], headers=headers)  # noqa: S310  the stack's own
    context = ssl.create_default_context(cafile=os.environ["CA"])
    said, answered = "", False
    while not answered:
        before = said
        try:
            urllib.request.urlopen(request, timeout=REQUEST_SECONDS, context=context).close()  # noqa: S310
            said, answered = "it answers", True
        except (OSError, http.client.HTTPException) as error:
            said = f"waiting: {error}"
            time.sleep(PAUSE_SECONDS)
        if said != before:
            print(said, flush=True)


def end_when_told() -> None:
    """End the process at once when SIGTERM comes."""
    signal.sigwait([signal.SIGTERM])
    os._exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    main()
