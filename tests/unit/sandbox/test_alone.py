"""A demo that is killed leaves nothing to the next one, and there is one at a time."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.demo.alone import alone
from sandbox.layout import CHECKOUT, Sandbox
from sandbox.processes import SandboxError, below, stop_below

DEMO = """
import subprocess, sys, time
from pathlib import Path
from sandbox.demo.alone import alone
from sandbox.layout import Sandbox

with alone(Sandbox(Path(sys.argv[1]))) as folder:
    folder.mkdir()
    (folder / "redis-server").symlink_to("/bin/sleep")
    redis = subprocess.Popen([folder / "redis-server", "60"], start_new_session=True)
    try:
        print("started", flush=True)
        time.sleep(60)
    finally:
        redis.kill()
        print("ended", flush=True)
"""


@contextmanager
def demo(directory: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run a demo, which has started its Redis."""
    process = subprocess.Popen(
        [sys.executable, "-c", DEMO, str(directory)], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    try:
        assert process.stdout.readline() == "started\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        stop_below(directory)


def test_what_a_killed_demo_left_is_ended_by_the_next(tmp_path: Path) -> None:
    with demo(tmp_path) as killed:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert list(below(tmp_path / "demo")) == ["redis-server"], "it outlives the demo"
        with alone(Sandbox(tmp_path)) as folder:
            assert below(folder) == {}
            assert not folder.exists()


def test_sigterm_ends_it_as_ctrl_c_does(tmp_path: Path) -> None:
    with demo(tmp_path) as ended:
        ended.send_signal(signal.SIGTERM)
        assert ended.stdout
        assert ended.stdout.readline() == "ended\n"
        assert ended.wait(10) == 128 + signal.SIGTERM
        assert below(tmp_path / "demo") == {}


def test_there_is_one_at_a_time(tmp_path: Path) -> None:
    with demo(tmp_path) as first:
        said = f"a demo runs already, process {first.pid}: end it first"
        with pytest.raises(SandboxError, match=said), alone(Sandbox(tmp_path)):
            pytest.fail("both run")
        assert list(below(tmp_path / "demo")) == ["redis-server"], "that of the first goes on"
