"""The page of metrics: one in a process, from the first application that needs it to the last."""

import os
from threading import RLock
from wsgiref.simple_server import WSGIServer

from . import metrics


class Page:
    """Whom the page of this process is there for."""

    def __init__(self) -> None:
        # It is closed where garbage is collected too, in whichever thread that happens.
        self._lock = RLock()
        self._users: set[int] = set()
        self._server: WSGIServer | None = None
        self._process = 0

    def open(self, user: object) -> None:
        """Show the page as long as `user` needs it."""
        with self._lock:
            if self._server is None and id(user) not in self._users:
                self._server, self._process = metrics.serve(), os.getpid()
            self._users.add(id(user))

    def close(self, user: int) -> None:
        """Show the page no longer, unless others than the one with the id `user` need it."""
        with self._lock:
            self._users.discard(user)
            server, self._server = (None, self._server) if self._users else (self._server, None)
        if server is not None:
            server.shutdown()
            server.server_close()

    def leave(self) -> None:
        """Let go of the page of the process from which this one was forked, and which alone answers."""
        if self._server is not None and self._process != os.getpid():
            self._server.socket.close()
            self._server = None


PAGE = Page()
