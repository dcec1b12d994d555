"""The metrics of requests and WebSockets, measured around the whole application (D-134 to D-137, D-185)."""

import logging
import re
import time
from collections.abc import Sequence

from fastapi import FastAPI
from opentelemetry import trace
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import logs, metrics
from .tracing import path_of

_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"}
_LOGGER = logging.getLogger(__name__)
# nginx's word for a client that went away before it was answered.
CLIENT_CLOSED_REQUEST = 499


def measure(app: FastAPI, unmeasured: Sequence[str]) -> None:
    """Measure an application's requests but those of the paths `unmeasured`. It must not have begun to answer."""
    build = app.build_middleware_stack
    app.build_middleware_stack = lambda: _Measured(build(), unmeasured)  # type: ignore[method-assign]


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
    def __init__(self, app: ASGIApp, unmeasured: Sequence[str]) -> None:
        self._app = app
        self._unmeasured = frozenset(unmeasured)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and path_of(scope) not in self._unmeasured:
            await self._request(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._connection(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, root = time.perf_counter(), scope.get("root_path", "")
        status, is_gone = 0, False

        async def receive_and_note() -> Message:
            nonlocal is_gone
            message = await receive()
            is_gone = is_gone or message["type"] == "http.disconnect"
            return message

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = CLIENT_CLOSED_REQUEST if is_gone else message["status"]
            await send(message)

        try:
            await self._app(scope, receive_and_note, send_and_note)
        except Exception as error:
            status = status or 500
            # The server logs it when nobody knows its trace any more.
            setattr(error, logs.SPAN, trace.get_current_span().get_span_context())
            raise
        finally:
            # Without any answer it was cancelled, or its client is gone.
            metrics.observe_request(
                scope["method"] if scope["method"] in _METHODS else "OTHER",
                _template(scope, root),
                status or CLIENT_CLOSED_REQUEST,
                time.perf_counter() - began,
                trace.get_current_span().get_span_context(),
            )

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


def _template(scope: Scope, root: str) -> str:
    """Return the route's template, with that of the mounts around it, never the path itself (D-137)."""
    mounted, route = scope.get("root_path", "")[len(root) :], scope.get("route")
    # FastAPI keeps a route that is included as it was before; what it is with all prefixes is here.
    included = scope.get("fastapi", {}).get("effective_route_context")
    if included is not None and included.original_route is route:
        route = included
    path: str = "" if isinstance(route, Mount) else getattr(route, "path_format", "")
    for name, value in scope.get("path_params", {}).items():
        if f"{{{name}}}" not in path:
            mounted = re.sub(rf"/{re.escape(str(value))}(?=/|$)", f"/{{{name}}}", mounted, count=1)
    return f"{mounted}{path}" or "unmatched"
