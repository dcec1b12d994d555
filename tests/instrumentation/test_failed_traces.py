"""The traces of failed requests in the real Jaeger: all of them, and of the good ones the share that is sampled."""

import contextlib
import json
import os
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.demo.watch import Watch
from sandbox.program_pins import JAEGER_COLLECTOR, JAEGER_QUERY, Program
from tests.instrumentation.conftest import Observed

OTLP, QUERY, ADMIN, OTHERS = 28620, 28621, 28622, 28623
FAILING, GOOD = 200, 2000


@contextlib.contextmanager
def jaeger(program: Program, folder: Path, **listeners: int) -> Iterator[None]:
    """Run a program of Jaeger on a folder, which one at a time can have."""
    ports = {
        "admin.http": ADMIN,
        **{name.replace("__", ".").replace("_", "-"): port for name, port in listeners.items()},
    }
    own = [f"--{name}.host-port=127.0.0.1:{port}" for name, port in ports.items()]
    store = [f"--badger.directory-{part}={folder / part}" for part in ("key", "value")]
    environment = {"PATH": os.environ["PATH"], "SPAN_STORAGE_TYPE": "badger"}
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [str(program.path), "--badger.ephemeral=false", *store, *own], env=environment, stdout=log, stderr=log
        )
    try:
        assert Watch.wait(lambda: _answers(ADMIN), 30), (folder / "log").read_text()[-2000:]
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
        return bool(answer.status == 200)
    return False


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Where Jaeger keeps what it gets."""
    folder = tmp_path / "jaeger"
    folder.mkdir()
    return folder


@pytest.mark.built
def test_each_failed_request_is_found_and_a_tenth_of_the_good_ones(everything: Observed, kept: Path) -> None:
    everything.environment |= {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{OTLP}",
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.1",
        "SENTRY_DSN": "",
    }
    listeners = {"collector__grpc_server": OTHERS, "collector__http_server": OTHERS + 1}
    with jaeger(JAEGER_COLLECTOR, kept, collector__otlp__http=OTLP, collector__otlp__grpc=OTHERS + 2, **listeners):
        everything.start_backend()
        before = memory(everything)
        ask(everything, GOOD, 200)
        everything.set_faults("errors")
        ask(everything, FAILING, 500)
        grown = memory(everything) - before
        everything.end("backend")
    failed = [line["trace"] for line in errors(everything)]
    assert len({trace["id"] for trace in failed}) == FAILING
    assert {trace["kept"] for trace in failed} == {True}
    with jaeger(JAEGER_QUERY, kept, query__http_server=QUERY, query__grpc_server=OTHERS):
        found = {trace["traceID"]: trace["spans"] for trace in search(GOOD + FAILING)}
    good = found.keys() - {trace["id"] for trace in failed}
    missing = {trace["id"] for trace in failed} - found.keys()
    print(
        f"\n{FAILING - len(missing)} of {FAILING} failed and {len(good)} of {GOOD} good are found, {grown:.0f} MiB more"
    )
    assert missing == set()
    assert len(good) <= 0.12 * GOOD
    assert grown < 30


def ask(application: Observed, times: int, status: int) -> None:
    assert {application.ask(f"/api/manga/{number % 999 + 1}")[0] for number in range(times)} == {status}


def memory(application: Observed) -> float:
    """Return the MiB that the backend has."""
    status = Path(f"/proc/{application.processes['backend'].pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def errors(application: Observed) -> list[dict[str, Any]]:
    """Return the lines of exceptions."""
    lines = [json.loads(line) for line in application.log("backend").splitlines() if line.startswith("{")]
    return [line for line in lines if "error" in line]


def search(most: int) -> list[dict[str, Any]]:
    address = f"http://127.0.0.1:{QUERY}/api/traces?service=mangakai-backend&lookback=1h&limit={most}"
    with urllib.request.urlopen(address, timeout=60) as answer:
        found: list[dict[str, Any]] = json.load(answer)["data"]
    return found
