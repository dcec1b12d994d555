"""The one line of the backend."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from . import health, metrics, middleware, process, tracing


def observe(
    app: FastAPI,
    *,
    database: Engine | AsyncEngine | None = None,
    redis: health.Redis | None = None,
    external: Mapping[str, health.Check] | None = None,
) -> None:
    """Observe a FastAPI application: metrics on port 8001, traces, errors, logs, `/live`, `/ready` and `/health`.

    Call it once, where the application is made. What is not configured is off, and a line of the log says so.

    Args:
        app: the application.
        database: what `/ready` asks, and whose statements are traced.
        redis: what `/ready` asks, one server or a cluster.
        external: what `/health` shows besides: `gemini_api(key)`, `s3(client, bucket)`, or any coroutine function
            that raises where something is wrong.
    """
    process.set_up()
    own = {
        **({} if database is None else {"database": health.database_check(database)}),
        **({} if redis is None else {"redis": health.redis_check(redis)}),
    }
    tracing.trace_app(app, health.PATHS)
    if database is not None:
        tracing.trace_database(database)
    middleware.measure(app)
    health.answer_probes(app, own, external or {})
    _run_around(app)


def _run_around(app: FastAPI) -> None:
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(running: FastAPI) -> AsyncIterator[Any]:
        metrics.start_at_zero(routes=middleware.routes(app))
        metrics.serve()
        async with inner(running) as state:
            try:
                yield state
            finally:
                # Uvicorn ends by the signal that it got, after which no exit handler runs.
                await asyncio.to_thread(process.flush)

    app.router.lifespan_context = lifespan
