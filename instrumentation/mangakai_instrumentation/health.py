"""`/live`, `/ready` and `/health`: measured, bounded in time, and silent about what a stranger must not know."""

import asyncio
import contextvars
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import redis as redis_sync
import redis.asyncio as redis_async
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from opentelemetry.instrumentation.utils import suppress_instrumentation
from sqlalchemy import Engine, text
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from .tracing import path_of

PATHS = ("/live", "/ready", "/health")
CHECK_SECONDS = 2
# How long `/ready` waits for a check that runs: the kubelet waits a second where nothing else is set.
PATIENCE_SECONDS = 0.5
# How long an answer counts: probes of many pods, or of a stranger, must not become load on what they ask about.
FRESH_SECONDS, EXTERNAL_FRESH_SECONDS = 1, 60
Check = Callable[[], Awaitable[object]]
Redis = redis_sync.Redis | redis_sync.RedisCluster | redis_async.Redis | redis_async.RedisCluster

_LOGGER = logging.getLogger(__name__)


def database_check(engine: Engine | AsyncEngine) -> Check:
    """Return the check of a database: a connection of its own, which answers (S-111, D-156)."""
    if isinstance(engine, AsyncEngine):

        async def select() -> None:
            async with engine.connect() as connection:
                await connection.execute(text("SELECT 1"))

        return select

    def select_in_thread() -> None:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    return _in_thread(select_in_thread)


def redis_check(client: Redis) -> Check:
    """Return the check of a Redis, or of a cluster: that it answers a PING (S-112, D-150)."""
    if isinstance(client, redis_async.Redis | redis_async.RedisCluster):
        return lambda: client.ping()
    return _in_thread(client.ping)


def gemini_api(key: str, address: str = "https://generativelanguage.googleapis.com") -> Check:
    """Return the check of the Gemini API: that it lists a model for `key` (S-113, D-152)."""

    async def list_models() -> None:
        async with httpx.AsyncClient(timeout=CHECK_SECONDS) as client:
            answer = await client.get(
                f"{address}/v1beta/models", params={"pageSize": 1}, headers={"x-goog-api-key": key}
            )
            answer.raise_for_status()

    return list_models


def s3(client: Any, bucket: str) -> Check:
    """Return the check of a bucket: that boto3's `client` of S3 sees it (S-113, D-152)."""
    return _in_thread(lambda: client.head_bucket(Bucket=bucket))


def answer_probes(app: FastAPI, own: Mapping[str, Check], external: Mapping[str, Check]) -> None:
    """Answer the three paths before the application does: its dependencies and middleware may refuse a stranger.

    `/live` says that the process answers. `/ready` is 503 until each of its own checks has succeeded once, so that no
    pod that cannot work gets requests; afterwards it says `degraded`, with 200: a database that is away must not take
    every pod away with it (D-154). `/health` is always 200, and shows what others offer too.

    Args:
        app: the application, which must not have begun to answer.
        own: checks of what a request cannot do without.
        external: checks of what others offer, never part of readiness.
    """
    owned = {name: _Checked(name, check, FRESH_SECONDS) for name, check in own.items()}
    foreign = {name: _Checked(name, check, EXTERNAL_FRESH_SECONDS) for name, check in external.items()}

    async def live(_: Request) -> JSONResponse:
        return JSONResponse({"status": "alive", "timestamp": time.time()})

    async def ready(_: Request) -> JSONResponse:
        checks = await _answers(owned, PATIENCE_SECONDS)
        if all(check.has_succeeded for check in owned.values()):
            return JSONResponse({"status": _verdict(checks, "ready"), "checks": checks})
        return JSONResponse({"status": "not_ready", "checks": checks}, status_code=503)

    async def health(_: Request) -> JSONResponse:
        checks = await _answers(owned | foreign, CHECK_SECONDS + PATIENCE_SECONDS)
        return JSONResponse({"status": _verdict(checks, "healthy"), "timestamp": time.time(), "checks": checks})

    probes = Router([Route(path, answer) for path, answer in zip(PATHS, (live, ready, health), strict=True)])
    build = app.build_middleware_stack
    app.build_middleware_stack = lambda: _First(ExceptionMiddleware(probes), build())  # type: ignore[method-assign]


class _First:
    def __init__(self, probes: ASGIApp, app: ASGIApp) -> None:
        self._probes, self._app = probes, app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_probe = scope["type"] == "http" and path_of(scope) in PATHS
        await (self._probes if is_probe else self._app)(scope, receive, send)


class _Checked:
    """A check that runs beside those who ask, and its last verdict."""

    def __init__(self, name: str, check: Check, fresh_seconds: float) -> None:
        self.has_succeeded = False
        self._name, self._check, self._fresh_seconds = name, check, fresh_seconds
        self._running: asyncio.Task[str | None] | None = None
        self._judging: asyncio.Task[None] | None = None
        self._began = self._until = 0.0
        self._verdict: dict[str, Any] | None = None

    async def answer(self, patience: float) -> dict[str, Any]:
        """Return the verdict of now, or the last one where the check has been running for `patience` seconds."""
        if self._judging is None or (self._judging.done() and time.monotonic() >= self._until):
            self._began = time.perf_counter()
            self._judging = asyncio.create_task(self._judge())
        if not self._judging.done():
            left = self._began + patience - time.perf_counter()
            await asyncio.wait([self._judging], timeout=max(0, left))
        return self._verdict or self._answered("no answer yet")

    async def _judge(self) -> None:
        """Give a verdict within CHECK_SECONDS. It stays while a check does not end even when it is cancelled."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
            await asyncio.wait([self._running], timeout=CHECK_SECONDS)
            if self._running.done():
                self._verdict = self._answered(self._running.result())
            else:
                self._running.cancel()
                self._verdict = self._answered(f"no answer within {CHECK_SECONDS} s")
        self._until = time.monotonic() + self._fresh_seconds

    async def _run(self) -> str | None:
        """Return why the check failed (D-151)."""
        try:
            with suppress_instrumentation():
                await self._check()
        except Exception as error:
            # D-155: the log says more.
            _LOGGER.warning("The check of %s failed", self._name, exc_info=error)
            return "failed"
        self.has_succeeded = True
        return None

    def _answered(self, why: str | None) -> dict[str, Any]:
        """Return what is answered, with the seconds that it took (D-153)."""
        took = {"response_time": round(time.perf_counter() - self._began, 6)}
        return {"status": "healthy", **took} if why is None else {"status": "unhealthy", "error": why, **took}


async def _answers(checks: Mapping[str, _Checked], patience: float) -> dict[str, Any]:
    answers = await asyncio.gather(*(check.answer(patience) for check in checks.values()))
    return dict(zip(checks, answers, strict=True))


def _verdict(checks: Mapping[str, dict[str, Any]], good: str) -> str:
    return good if all(check["status"] == "healthy" for check in checks.values()) else "degraded"


def _in_thread(call: Callable[[], object]) -> Check:
    """Return the check of a call that blocks. One that hangs holds the only thread, and those after it time out."""
    pool = ThreadPoolExecutor(1, "health")

    async def check() -> None:
        await asyncio.get_running_loop().run_in_executor(pool, contextvars.copy_context().run, call)

    return check
