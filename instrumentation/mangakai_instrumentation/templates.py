"""The template of the route that a request took: never its path, of which there are without end (D-137)."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Host, Match, Mount
from starlette.types import Scope

UNMATCHED = "unmatched"
# How the template of a mount ends, whose application has one of its own.
_REST = "/{path}"


def template(app: FastAPI, scope: Scope, root: str, telemetry: Any) -> str:
    """Return the template of a request's route, with that of the mounts around it.

    Args:
        app: the application.
        scope: of the request, which the application has taken.
        root: the path under which a proxy shows the application.
        telemetry: FastAPI's, where it traces the request: it knows the route, up to a mount of what is not FastAPI's.
    """
    route: str = getattr(telemetry, "route", None) or _REST
    if not route.endswith(_REST):
        return route.removeprefix(root)
    if telemetry is not None and "endpoint" not in scope:
        return UNMATCHED
    return _found(app.routes, {**scope, "root_path": root, "path_params": {}}) or UNMATCHED


def _found(routes: Sequence[BaseRoute], scope: Scope) -> str:
    """Return the template of the first route that takes a request, else of the first that has its path."""
    partly = ""
    for route in iter_route_contexts(routes):
        match, inner = route.matches(scope)
        path = route.path_format or ""
        if match is Match.FULL and isinstance(route.original_route, Mount | Host):
            return path.removesuffix(_REST) + _found(route.routes, scope | inner) or "/"
        if match is Match.FULL:
            return path
        if match is Match.PARTIAL:
            partly = partly or path
    return partly
