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

PATHS = ("/live", "/ready", "/health")
CHECK_SECONDS = 2
# How long an answer counts: probes of many pods, or of a stranger, must not become load on what they ask about.
FRESH_SECONDS, EXTERNAL_FRESH_SECONDS = 1, 60
Check = Callable[[], Awaitable[object]]

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


def redis_check(client: "redis_sync.Redis | redis_async.Redis") -> Check:
    """Return the check of a Redis: that it answers a PING (S-112, D-150)."""
    if isinstance(client, redis_async.Redis):
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


def add_routes(app: FastAPI, own: Mapping[str, Check], external: Mapping[str, Check]) -> None:
    """Add the three routes.

    `/live` says that the process answers. `/ready` is 503 until each of its own checks has succeeded once, so that no
    pod that cannot work gets requests; afterwards it says `degraded`, with 200: a database that is away must not take
    every pod away with it (D-154). `/health` is always 200, and shows what others offer too.

    Args:
        app: the application.
        own: checks of what a request cannot do without.
        external: checks of what others offer, never part of readiness.
    """
    owned = {name: _Checked(name, check, FRESH_SECONDS) for name, check in own.items()}
    foreign = {name: _Checked(name, check, EXTERNAL_FRESH_SECONDS) for name, check in external.items()}

    async def live() -> dict[str, Any]:
        return {"status": "alive", "timestamp": time.time()}

    async def ready() -> JSONResponse:
        checks = await _answers(owned)
        if all(check.has_succeeded for check in owned.values()):
            return JSONResponse({"status": _verdict(checks, "ready"), "checks": checks})
        return JSONResponse({"status": "not_ready", "checks": checks}, status_code=503)

    async def health() -> dict[str, Any]:
        checks = await _answers(owned | foreign)
        return {"status": _verdict(checks, "healthy"), "timestamp": time.time(), "checks": checks}

    for path, answer in zip(PATHS, (live, ready, health), strict=True):
        app.add_api_route(path, answer, include_in_schema=False)


class _Checked:
    """A check, and its last answer for as long as that counts."""

    def __init__(self, name: str, check: Check, fresh_seconds: float) -> None:
        self.has_succeeded = False
        self._name, self._check, self._fresh_seconds = name, check, fresh_seconds
        self._lock = asyncio.Lock()
        self._until = 0.0
        self._answer: dict[str, Any] = {}

    async def answer(self) -> dict[str, Any]:
        async with self._lock:
            if time.monotonic() >= self._until:
                self._answer = await self._measure()
                self._until = time.monotonic() + self._fresh_seconds
            return self._answer

    async def _measure(self) -> dict[str, Any]:
        """Return what came of the check, and the seconds that it took (D-151, D-153)."""
        began, why = time.perf_counter(), None
        try:
            with suppress_instrumentation():
                async with asyncio.timeout(CHECK_SECONDS):
                    await self._check()
            self.has_succeeded = True
        except TimeoutError:
            why = f"no answer within {CHECK_SECONDS} s"
        except Exception as error:
            # D-155: the log says more.
            why = "failed"
            _LOGGER.warning("The check of %s failed", self._name, exc_info=error)
        took = {"response_time": round(time.perf_counter() - began, 6)}
        return {"status": "healthy", **took} if why is None else {"status": "unhealthy", "error": why, **took}


async def _answers(checks: Mapping[str, _Checked]) -> dict[str, Any]:
    answers = await asyncio.gather(*(check.answer() for check in checks.values()))
    return dict(zip(checks, answers, strict=True))


def _verdict(checks: Mapping[str, dict[str, Any]], good: str) -> str:
    return good if all(check["status"] == "healthy" for check in checks.values()) else "degraded"


def _in_thread(call: Callable[[], object]) -> Check:
    """Return the check of a call that blocks. One that hangs holds the only thread, and those after it time out."""
    pool = ThreadPoolExecutor(1, "health")

    async def check() -> None:
        await asyncio.get_running_loop().run_in_executor(pool, contextvars.copy_context().run, call)

    return check
