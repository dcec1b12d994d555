"""Silences of a real Alertmanager."""

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backup_agent import BackupError
from backup_agent import __main__ as program
from backup_agent.web import Web
from components.foundation.kubernetes_secrets import web_config
from sandbox.build import ensure
from sandbox.program_pins import ALERTMANAGER
from tests.backup_agent.conftest import wait

PORT, PASSWORD = 29342, "canary-web-3d0e"


class Alertmanager:
    """A real one, which asks for the password as ours does, on an empty folder each time that it starts."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._starts = folder, 0
        self.web = Web(f"http://127.0.0.1:{PORT}", f"monitoring:{PASSWORD}")
        (folder / "web.yml").write_text(web_config(PASSWORD))
        (folder / "alertmanager.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
        self.start()

    def start(self) -> None:
        self._starts += 1
        command = [
            str(ALERTMANAGER.path),
            f"--config.file={self._folder}/alertmanager.yml",
            f"--web.config.file={self._folder}/web.yml",
            f"--storage.path={self._folder}/data-{self._starts}",
            f"--web.listen-address=127.0.0.1:{PORT}",
            "--cluster.listen-address=",
        ]
        with (self._folder / "log").open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait(self._answers, 20)

    def _answers(self) -> bool:
        try:
            return self.silences() is not None
        except BackupError:
            return False

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)

    def silence(self, comment: str, hours: float) -> str:
        now = datetime.now(UTC)
        answer = self.web.call(
            "POST",
            "/api/v2/silences",
            {
                "matchers": [{"name": "alertname", "value": comment, "isRegex": False, "isEqual": True}],
                "startsAt": now.isoformat(),
                "endsAt": (now + timedelta(hours=hours)).isoformat(),
                "createdBy": "tests",
                "comment": comment,
            },
        )
        return str(answer["silenceID"])

    def silences(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.web.call("GET", "/api/v2/silences", shape=list)
        return [each for each in found if each["status"]["state"] != "expired"]


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Alertmanager]:
    ensure([ALERTMANAGER])
    one = Alertmanager(tmp_path)
    yield one
    one.stop()


@pytest.mark.usefixtures("storage")
def test_silences_come_back_once(
    alertmanager: Alertmanager, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    environment |= {"ALERTMANAGER_URL": f"http://127.0.0.1:{PORT}", "WEB_LOGIN": f"monitoring:{PASSWORD}"}
    for comment, hours in (("upgrade", 4), ("move", 48), ("short", 0.003)):
        alertmanager.silence(comment, hours)
    assert program.main(["save", "alertmanager"], environment) == 0
    before = {each["comment"]: each["endsAt"] for each in alertmanager.silences()}
    alertmanager.stop()
    alertmanager.start()
    assert alertmanager.silences() == []
    capsys.readouterr()
    wait(lambda: datetime.fromisoformat(before["short"]) < datetime.now(UTC), 15)
    assert program.main(["restore", "alertmanager"], environment) == 0
    told = capsys.readouterr().out
    assert "ended meanwhile: silence of tests" in told
    del before["short"]
    assert {each["comment"]: each["endsAt"] for each in alertmanager.silences()} == before
    assert program.main(["restore", "alertmanager"], environment) == 0
    assert capsys.readouterr().out.count("is there: silence of tests") == len(before)
    assert len(alertmanager.silences()) == len(before)
    assert PASSWORD not in told
