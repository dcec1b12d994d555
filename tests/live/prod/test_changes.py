"""The stack `prod` on a live cluster while it changes."""

import itertools
import time

from tests.live.asking import ask, bring_up, pods, until
from tests.live.checks import ALERTMANAGER
from tests.live.people import mails
from tests.live.prod.logins import WEB
from tests.sandbox.conftest import Api, Project

REACHES_SECONDS = 180
PASSWORD, RECEIVER = "canary-second-9d41", "night@mangakai.com"


def test_a_changed_receiver_and_password_reach_alertmanager_without_a_restart(project: Project, api: Api) -> None:
    same = {pod["metadata"]["uid"] for pod in pods(api)}
    project.prepare("prod", alertmanager={"oncallEmail": RECEIVER})
    done = project.pulumi("prod", "config", "set", "--secret", "smtpAuthPassword", PASSWORD)
    assert done.returncode == 0, done.stderr
    bring_up(project, "prod")
    began, tries = time.monotonic(), itertools.count()

    def arrived() -> bool:
        name = f"Changed{next(tries)}"
        alert = {"labels": {"alertname": name, "severity": "critical"}, "annotations": {"summary": name}}
        assert ask(f"{ALERTMANAGER}/api/v2/alerts", WEB, [alert]).status == 200
        (mail,) = until(lambda: mails(api, name), 60, "the mail")
        return bool(mail["to"] == RECEIVER and mail["login"][1] == PASSWORD)

    until(arrived, REACHES_SECONDS, "the receiver and the password")
    print(f"\nafter {time.monotonic() - began:.0f} s")
    assert {pod["metadata"]["uid"] for pod in pods(api)} == same
