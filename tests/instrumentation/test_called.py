"""How often the package is called, and by how many applications of one process, makes no difference."""

import contextlib
import gc
import subprocess
import sys
import textwrap
import time
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from fastapi import FastAPI
from prometheus_client import REGISTRY

from mangakai_instrumentation import metrics, observe, observe_celery
from sandbox.demo.watch import Watch
from sandbox.layout import CHECKOUT

with warnings.catch_warnings():
    # It recommends another client than httpx.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

PORT = 28617


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("METRICS_ADDRESS", f"127.0.0.1:{PORT}")
    yield
    gc.collect()


def application() -> FastAPI:
    app = FastAPI()
    observe(app)

    @app.get("/called")
    async def read() -> None: ...

    return app


def page(place: str = f"127.0.0.1:{PORT}/metrics") -> str:
    """Return the page, or nothing where there is none."""
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{place}", timeout=5) as answer:
        return str(answer.read().decode())
    return ""


def listening(port: int) -> int:
    """Return how many sockets listen on a port."""
    tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    fields = [line.split() for table in tables for line in table]
    return sum(int(field[1].rpartition(":")[2], 16) == port and field[3] == "0A" for field in fields)


def test_to_observe_twice_is_to_observe_once() -> None:
    app = application()
    observe(app)
    labels = {"method": "GET", "endpoint": "/called", "status": "200"}
    before = REGISTRY.get_sample_value("http_requests_total", labels) or 0
    with TestClient(app) as client:
        assert client.get("/called").status_code == 200
        assert listening(PORT) == 1
    assert REGISTRY.get_sample_value("http_requests_total", labels) == before + 1


def test_celery_is_observed_once_whatever_many_applications() -> None:
    for name in ("first", "second", "second"):
        observe_celery(Celery(name, broker="memory://"))
    families = [family.name for family in metrics.EXPOSED.collect()]
    assert families.count("celery_queue_length") == families.count("celery_workers") == 1


def test_nothing_is_left_listening(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(20):
        with TestClient(application()):
            assert listening(PORT) == 1
        assert listening(PORT) == 0
    assert caplog.messages == []


def test_the_page_is_there_as_long_as_one_application_lives() -> None:
    with TestClient(application()):
        with TestClient(application()):
            assert page()
        assert page()
    assert not page()


def test_the_page_is_there_again_with_the_application() -> None:
    app = application()
    for _ in range(2):
        with TestClient(app):
            assert page()
        assert not page()


def test_an_application_without_lifespan_has_a_page_until_it_is_gone() -> None:
    def ask() -> None:
        assert TestClient(application()).get("/called").status_code == 200
        assert page()

    ask()
    gc.collect()
    assert Watch.wait(lambda: listening(PORT) == 0, 5)


def test_a_server_without_lifespan_shows_the_page_from_the_first_probe_on(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        import sys, uvicorn
        from fastapi import FastAPI
        from mangakai_instrumentation import observe
        app = FastAPI()
        observe(app)
        uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), lifespan="off")
        """
    )
    environment = {"PYTHONPATH": str(CHECKOUT / "instrumentation"), "METRICS_ADDRESS": f"[::1]:{PORT}"}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(PORT + 1)], env=environment, stdout=log, stderr=log
        )
    try:
        began = time.monotonic()
        assert Watch.wait(lambda: bool(page(f"127.0.0.1:{PORT + 1}/live")), 30), (tmp_path / "log").read_text()
        print(f"\nalive after {time.monotonic() - began:.1f} s")
        assert "websocket_connections_active" in page(f"[::1]:{PORT}/metrics")
    finally:
        process.terminate()
        process.wait(10)
