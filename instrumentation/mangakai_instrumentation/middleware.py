"""The metrics of requests and WebSockets, measured around the whole application (D-134 to D-137, D-185)."""

import logging
import time

from fastapi import FastAPI
from opentelemetry import trace
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import lines, metrics, templates
from .client import Client

_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"}
# What may be the last message of an answer: for what comes afterwards, as background tasks do, no client waits.
_LAST = {"http.response.body", "http.response.pathsend"}
_LOGGER = logging.getLogger(__name__)
# nginx's word for a client that went away before it was answered.
CLIENT_CLOSED_REQUEST = 499


def measure(app: FastAPI) -> None:
    """Measure an application's requests and WebSockets. It must not have begun to answer."""
    build = app.build_middleware_stack
    app.build_middleware_stack = lambda: _Measured(build(), app)  # type: ignore[method-assign]


def routes(app: FastAPI) -> list[tuple[str, str]]:
    """Return method and template of each route in an application's own description."""
    found: list[tuple[str, str]] = []
    try:
        paths = app.openapi().get("paths", {})
    except Exception as error:
        _LOGGER.warning("No route is shown before its first request: they cannot be described", exc_info=error)
        return []
    for path, operations in paths.items():
        found += [(method.upper(), path) for method in operations if method.upper() in _METHODS]
    return found


class _Measured:
    def __init__(self, app: ASGIApp, routed: FastAPI) -> None:
        self._app, self._routed = app, routed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._request(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._connection(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, root, telemetry = time.perf_counter(), scope.get("root_path", ""), scope.get("fastapi.telemetry")
        client = Client(scope, receive)
        status, is_measured = 0, False

        def observe() -> None:
            nonlocal is_measured
            if not is_measured:
                is_measured = True
                metrics.observe_request(
                    scope["method"] if scope["method"] in _METHODS else "OTHER",
                    templates.template(self._routed, scope, root, telemetry),
                    # Without any answer it was cancelled, or its client is gone.
                    status or CLIENT_CLOSED_REQUEST,
                    time.perf_counter() - began,
                    trace.get_current_span().get_span_context(),
                )

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                # What failed by itself has failed for a client that lost patience too.
                is_gone = client.is_gone or (message["status"] < 500 and await client.has_left())
                status = CLIENT_CLOSED_REQUEST if is_gone else message["status"]
            await send(message)
            if message["type"] in _LAST and not message.get("more_body"):
                observe()

        try:
            await self._app(scope, client.receive, send_and_note)
        except Exception as error:
            status = status or 500
            # The server logs it when nobody knows its trace any more.
            setattr(error, lines.SPAN, trace.get_current_span().get_span_context())
            raise
        finally:
            observe()

    async def _connection(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_open = False

        async def send_and_note(message: Message) -> None:
            nonlocal is_open
            if message["type"] == "websocket.accept" and not is_open:
                is_open = True
                metrics.ACTIVE_CONNECTIONS.inc()
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            if is_open:
                metrics.ACTIVE_CONNECTIONS.dec()
