"""The application's processes are found by the folder through which they were started, and ended."""

from pathlib import Path

from sandbox.demo.application.running import Application
from sandbox.processes import below, stop_below
from tests.instrumentation.conftest import PORTS


def test_what_was_started_is_found_and_ended(tmp_path: Path) -> None:
    application = Application(tmp_path / "application", PORTS)
    try:
        application.start_redis()
        application.start_backend()
        assert {name: len(pids) for name, pids in below(tmp_path).items()} == {"redis-server": 1, "python": 1}
        stop_below(tmp_path)
        assert all(process.wait(5) != 0 for process in application.processes.values())
        assert below(tmp_path) == {}
    finally:
        application.stop()
