"""FastAPI's side of the demo application.

DATABASE_URL names a database of SQLAlchemy's (async), BROKER_URL the Redis, FAULT_FILE a file with the names of the
faults that are on: `errors` and `slow`.
"""

import asyncio
import os
from pathlib import Path

import redis.asyncio
from fastapi import FastAPI, HTTPException, WebSocket
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from mangakai_instrumentation import observe
from sandbox.demo.application.tasks import generate_manga

database = create_async_engine(os.environ["DATABASE_URL"])
cache = redis.asyncio.Redis.from_url(os.environ["BROKER_URL"])
app = FastAPI(title="MangakAI")
observe(app, database=database, redis=cache)


@app.get("/api/manga/{number}")
async def read_manga(number: int) -> dict[str, int]:
    """Return a manga, of which there are those from 1 to 999."""
    faults = await asyncio.to_thread(_faults)
    if "errors" in faults:
        raise RuntimeError(f"manga {number} is not in {os.environ['BROKER_URL']}")
    if "slow" in faults:
        await asyncio.sleep(4)
    if not 0 < number < 1000:
        raise HTTPException(404, f"there is no manga {number}")
    async with database.connect() as connection:
        pages = await connection.scalar(text("SELECT 24"))
    return {"number": number, "pages": int(pages or 0)}


@app.post("/api/manga", status_code=202)
async def create_manga(pages: int = 1, outcome: str = "success", seconds: float = 0) -> dict[str, str]:
    """Let a manga be generated, with the outcome that is asked for."""
    task = await asyncio.to_thread(generate_manga.delay, pages, outcome, seconds)
    return {"task": task.id}


@app.websocket("/ws/progress")
async def progress(socket: WebSocket) -> None:
    """Answer each message until the client is gone."""
    await socket.accept()
    async for message in socket.iter_text():
        await socket.send_text(message)


def _faults() -> list[str]:
    file = Path(os.environ.get("FAULT_FILE", ""))
    return file.read_text().split() if file.is_file() else []
