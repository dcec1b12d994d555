"""The directory in which processes count together: what dead ones leave, and what happens where it is full."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mangakai_instrumentation import directory
from sandbox.layout import CHECKOUT

# One of mounts of its own, for which one need not be root.
NAMESPACE = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
COUNTS = """
import logging, sys
logging.basicConfig()
from mangakai_instrumentation import metrics
for number in range(int(sys.argv[1])):
    metrics.REQUEST_COUNT.labels("GET", f"/{number:0100d}", 200).inc()
metrics.observe_request("GET", "/a", 200, 0.3, metrics.trace.INVALID_SPAN_CONTEXT)
metrics.ACTIVE_TASKS.inc()
"""
SHOWS = """
import time
from prometheus_client import generate_latest
from mangakai_instrumentation import metrics
began = time.perf_counter()
text = generate_latest(metrics.EXPOSED).decode()
print(time.perf_counter() - began)
print(text)
"""


def environment(shared: Path) -> dict[str, str]:
    package = str(CHECKOUT / "instrumentation")
    return {"PATH": os.environ["PATH"], "PYTHONPATH": package, "PROMETHEUS_MULTIPROC_DIR": str(shared)}


def run(program: str, shared: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, env=environment(shared), capture_output=True, text=True, check=False)


def shown(shared: Path) -> tuple[float, list[str]]:
    """Return how long a scrape takes, and its lines."""
    done = run(SHOWS, shared)
    assert done.returncode == 0, done.stderr
    seconds, _, page = done.stdout.partition("\n")
    return float(seconds), page.splitlines()


def test_what_dead_processes_counted_is_kept_in_one_file_of_a_kind(tmp_path: Path) -> None:
    """client_python 367 and 204."""
    for _ in range(3):
        assert run(COUNTS, tmp_path, "2").returncode == 0
    for _ in range(2):
        _, lines = shown(tmp_path)
        assert 'http_requests_total{endpoint="/a",method="GET",status="200"} 3.0' in lines
        assert f'http_requests_total{{endpoint="/{1:0100d}",method="GET",status="200"}} 3.0' in lines
        assert 'http_request_duration_seconds_bucket{endpoint="/a",le="0.5",method="GET"} 3.0' in lines
        assert 'http_request_duration_seconds_sum{endpoint="/a",method="GET"} 0.8999999999999999' in lines
        assert "celery_active_tasks 0.0" in lines
    names = {file.name for file in tmp_path.glob("*_dead.db")}
    assert names == {"counter_dead.db", "histogram_dead.db"}
    # Those of the process that was asked last.
    assert len(list(tmp_path.glob("*.db"))) - len(names) <= 3


def test_a_scrape_is_fast_whatever_many_have_died(tmp_path: Path) -> None:
    run(COUNTS, tmp_path, "100")
    (counted, summed) = (next(tmp_path.glob(f"{kind}_*.db")) for kind in ("counter", "histogram"))
    gone = subprocess.Popen(["true"])
    gone.wait()
    for number in range(200):
        for file in (counted, summed):
            shutil.copy(file, file.with_name(f"{file.stem.split('_')[0]}_{gone.pid}-{number}.db"))
    size = sum(file.stat().st_size for file in tmp_path.glob("*.db"))
    first, _ = shown(tmp_path)
    second, lines = shown(tmp_path)
    left = sum(file.stat().st_size for file in tmp_path.glob("*.db"))
    print(f"\n{size >> 20} MiB asked for {first:.2f} s, then {left >> 10} KiB for {second:.3f} s")
    assert 'http_requests_total{endpoint="/a",method="GET",status="200"} 201.0' in lines
    assert left < size / 50
    assert second < first / 5


def test_the_children_of_a_pool_are_dead_with_their_parent_only(tmp_path: Path) -> None:
    run(COUNTS, tmp_path, "1")
    counted = next(tmp_path.glob("counter_*.db"))
    counted.rename(tmp_path / f"counter_{os.getpid()}-0.db")
    directory.tidy(tmp_path)
    assert (tmp_path / f"counter_{os.getpid()}-0.db").exists()


@pytest.mark.parametrize("taken", [600_000, 200_000])
def test_a_full_directory_costs_metrics_and_no_process(tmp_path: Path, taken: int) -> None:
    """client_python 204: it was killed by SIGBUS, where it is full at the start or while it counts."""
    script = f"""
        mount -t tmpfs -o size=512k tmpfs "$PROMETHEUS_MULTIPROC_DIR" || exit 99
        cd "$PROMETHEUS_MULTIPROC_DIR"
        head -c {taken} /dev/zero > ballast 2> /dev/null
        "$0" -c "$1" 20000 || exit $?
        "$0" -c "$2" > /dev/null || exit $?
        rm ballast
        "$0" -c "$1" 1 && "$0" -c "$2"
    """
    done = subprocess.run(
        [*NAMESPACE, "sh", "-c", script, sys.executable, COUNTS, SHOWS],
        env=environment(tmp_path), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "PROMETHEUS_MULTIPROC_DIR has no room" in done.stderr
    assert any(line.startswith('http_requests_total{endpoint="/a"') for line in done.stdout.splitlines())


def test_who_reads_waits_until_another_has_merged(tmp_path: Path) -> None:
    with directory.alone(tmp_path):
        waiting = subprocess.Popen([sys.executable, "-c", SHOWS], env=environment(tmp_path), stdout=subprocess.PIPE)
        time.sleep(3)
        assert waiting.poll() is None
    assert waiting.communicate(timeout=20)[0]
