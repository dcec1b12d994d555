"""The visitors of the demo application: a steady number of requests a second, whatever comes of them."""

import asyncio
import contextlib
import itertools
import threading
import time

import httpx

REQUESTS_PER_SECOND, MANGA_PER_SECOND = 20, 1
MOST_SECONDS = 3600


class Visitors:
    """A thread that reads and orders manga at 127.0.0.1:`port` until it is told to stop, an hour at most."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}"
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._visit()), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Send no more."""
        self._stopped.set()
        self._thread.join()

    async def _visit(self) -> None:
        began, underway = time.monotonic(), set[asyncio.Task[None]]()
        # Beside those that wait for a slow answer, a second's.
        limits = httpx.Limits(max_connections=10 * REQUESTS_PER_SECOND)
        async with httpx.AsyncClient(base_url=self._address, timeout=10, limits=limits) as client:
            for number in itertools.count():
                if self._stopped.is_set() or number > MOST_SECONDS * REQUESTS_PER_SECOND:
                    break
                is_order = number % (REQUESTS_PER_SECOND // MANGA_PER_SECOND) == 0
                request = ("POST", "/api/manga") if is_order else ("GET", f"/api/manga/{number % 999 + 1}")
                task = asyncio.create_task(self._send(client, *request))
                underway.add(task)
                task.add_done_callback(underway.discard)
                await asyncio.sleep(max(0, began + (number + 1) / REQUESTS_PER_SECOND - time.monotonic()))
            for task in underway:
                task.cancel()

    @staticmethod
    async def _send(client: httpx.AsyncClient, method: str, path: str) -> None:
        with contextlib.suppress(httpx.HTTPError):
            await client.request(method, path)
