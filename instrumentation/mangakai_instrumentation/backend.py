"""The one line of the backend."""

import asyncio
import weakref
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from threading import Thread
from typing import Any

from fastapi import FastAPI
from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import ASGIApp

from . import health, logs, metrics, middleware, page, process, tracing

_OBSERVED: "weakref.WeakSet[FastAPI]" = weakref.WeakSet()


def observe(
    app: FastAPI,
    *,
    database: Engine | AsyncEngine | None = None,
    redis: health.Redis | None = None,
    external: Mapping[str, health.Check] | None = None,
) -> None:
    """Observe a FastAPI application: metrics on port 8001, traces, errors, logs, `/live`, `/ready` and `/health`.

    Call it where the application is made; again, it does nothing. What is not configured is off, and a line of the log
    says so.

    Args:
        app: the application.
        database: what `/ready` asks.
        redis: what `/ready` asks, one server or a cluster.
        external: what `/health` shows besides: `gemini_api(key)`, `s3(client, bucket)`, or any coroutine function
            that raises where something is wrong.
    """
    if app in _OBSERVED:
        return
    _OBSERVED.add(app)
    process.set_up()
    own = {
        **({} if database is None else {"database": health.database_check(database)}),
        **({} if redis is None else {"redis": health.redis_check(redis)}),
    }
    tracing.trace_app(app, health.PATHS)
    middleware.measure(app)
    health.answer_probes(app, own, external or {})
    _show(app)


def _show(app: FastAPI) -> None:
    """Show the page from the application's first message on, which need not be its lifespan's, to its end."""
    inner, build = app.router.lifespan_context, app.build_middleware_stack

    def open_and_build() -> ASGIApp:
        logs.take_over()
        metrics.start_at_zero(routes=middleware.routes(app))
        page.PAGE.open(app)
        return build()

    @asynccontextmanager
    async def lifespan(running: FastAPI) -> AsyncIterator[Any]:
        # The server has set up its own lines after the application was made, where that is what starts it.
        logs.take_over()
        page.PAGE.open(app)
        try:
            async with inner(running) as state:
                yield state
        finally:
            # Uvicorn ends by the signal that it got, after which no exit handler runs.
            await asyncio.to_thread(process.flush)
            await asyncio.to_thread(page.PAGE.close, id(app))

    app.build_middleware_stack = open_and_build  # type: ignore[method-assign]
    app.router.lifespan_context = lifespan
    # One without a lifespan ends when nobody knows it any more.
    weakref.finalize(app, _close_beside, id(app)).atexit = False


def _close_beside(user: int) -> None:
    """Close the page, which waits for its thread: this may be that one."""
    Thread(target=page.PAGE.close, args=(user,), daemon=True).start()
