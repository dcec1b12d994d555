"""Whatever server runs the backend, and however it is started: its lines are JSON, one object each."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.demo.watch import Watch
from sandbox.layout import CHECKOUT

PORT = 28618
PROGRAM = """
import time
import uvicorn
from fastapi import FastAPI
from mangakai_instrumentation import observe

app = FastAPI()
observe(app)

@app.get("/boom")
def fail():
    raise ValueError("no ink")

@app.get("/sleep")
async def sleep():
    time.sleep(30)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port={port})
"""
GUNICORN = ["-m", "gunicorn", "main:app", "-k", "uvicorn_worker.UvicornWorker", "-b", f"127.0.0.1:{PORT}", "-t", "2"]
JSON = ["--logger-class", "mangakai_instrumentation.gunicorn.Logger"]


@contextlib.contextmanager
def serving(folder: Path, *command: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a server of the program until it answers, then end it."""
    (folder / "main.py").write_text(PROGRAM.format(port=PORT))
    environment = {
        "PYTHONPATH": f"{folder}:{CHECKOUT / 'instrumentation'}",
        "METRICS_ADDRESS": f"127.0.0.1:{PORT + 1}",
        "PATH": os.environ["PATH"],
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, *command], cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        assert Watch.wait(lambda: ask("/live") == 200, 30), (folder / "log").read_text()
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def ask(path: str) -> int:
    """Return the status of an answer, 0 where there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", path)
        return connection.getresponse().status
    return 0


def lines(folder: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the lines of JSON, and the others."""
    written = (folder / "log").read_text().splitlines()
    return [json.loads(line) for line in written if line.startswith("{")], [
        line for line in written if line and not line.startswith("{")
    ]


@pytest.mark.parametrize(
    ("command", "most"),
    [
        # What uvicorn says before it has started the application.
        pytest.param(["main.py"], 2, id="uvicorn.run(app)"),
        pytest.param(["-m", "uvicorn", "main:app", "--port", str(PORT)], 0, id="uvicorn"),
        pytest.param([*GUNICORN, *JSON], 0, id="gunicorn"),
        pytest.param([*GUNICORN, *JSON, "--preload"], 0, id="gunicorn --preload"),
    ],
)
def test_an_exception_is_one_line_with_its_trace(tmp_path: Path, command: list[str], most: int) -> None:
    with serving(tmp_path, *command):
        assert ask("/boom?token=hunter2hunter2") == 500
    found, others = lines(tmp_path)
    assert len(others) <= most, others
    (failed,) = [line for line in found if line.get("error", {}).get("type") == "ValueError"]
    assert failed["log.level"] == "error"
    assert len(failed["trace"]["id"]) == 32
    (access,) = [line for line in found if "/boom" in line["message"]]
    assert access["message"].endswith('- "GET /boom?[Filtered] HTTP/1.1" 500')
    assert "hunter2" not in (tmp_path / "log").read_text()


def test_gunicorn_tells_of_a_worker_that_hangs(tmp_path: Path) -> None:
    with serving(tmp_path, *GUNICORN, *JSON):
        ask("/sleep")
    found, others = lines(tmp_path)
    assert others == []
    (told,) = [line for line in found if "WORKER TIMEOUT" in line["message"]]
    assert (told["log.level"], told["log"]["logger"]) == ("critical", "gunicorn.error")
