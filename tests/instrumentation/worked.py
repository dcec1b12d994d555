"""A backend whose only handler works for 5 ms; observed where OBSERVED is set."""

import os
import time

from fastapi import FastAPI

from mangakai_instrumentation import observe

SECONDS = 0.005
app = FastAPI()
if os.environ.get("OBSERVED"):
    observe(app)


@app.get("/busy/{number}")
async def keep_busy(number: int) -> dict[str, int]:
    until = time.thread_time() + SECONDS
    while time.thread_time() < until:
        pass
    return {"number": number}
