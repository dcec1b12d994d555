"""`make fire-drill` on real Alertmanagers with production's routes: who is told, and what keeps it from whom."""

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from components.foundation.names import SLACK_API_URL
from components.metrics import notifications
from operations import render
from operations.fire_drill.drill import Drill
from operations.fire_drill.result import Result, State, table
from sandbox.build import ensure
from sandbox.demo.loopback import Ports
from sandbox.demo.sinks import MailServer, Webhooks
from sandbox.demo.watch import Watch
from sandbox.program_pins import ALERTMANAGER
from tests.delivery.own_alertmanager import Process, changed
from tests.serving import serving

FIRST_PORT = 29500
# Group intervals of 5 minutes take 2.5 seconds.
SPEED = 120
PATIENCE = 8.0
RIGHT, WRONG = "canary-mail-77aa", "canary-mail-of-last-year"
NAMED = ("--enable-feature=receiver-name-in-metrics",)
ONCALL = "oncall@mangakai.com"
WAYS = {"application-errors": "email", "warning-alerts": "email", "heartbeat": "webhook", "default": "email"}


@dataclass
class Stack:
    """Alertmanagers and all whom they tell, on ports of their own."""

    ports: Ports
    replicas: list[Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.mail = MailServer(self.ports.smtp, RIGHT)
        self.webhooks = Webhooks(self.ports.webhooks)

    def add(
        self, files: Mapping[str, str], folder: Path, password: str, gossip: tuple[int, ...] = (),
        flags: tuple[str, ...] = NAMED,
    ) -> Process:  # fmt: skip
        ports = self.ports._replace(alertmanager=self.ports.alertmanager + 100 * len(self.replicas))
        home = folder / f"alertmanager-{len(self.replicas)}"
        home.mkdir()
        replica = Process(files, home, ports, password, SPEED, gossip, flags)
        self.replicas.append(replica)
        assert Watch.wait(replica.is_ready, 30)
        return replica

    def drill(self, *chosen: str) -> dict[tuple[str, str], Result]:
        drill = Drill(self.replicas, "prod", "mangakai-prod", PATIENCE)
        results = drill.run(chosen)
        print(f"\n{table('prod', drill.mark, results)}")
        return {(one.receiver, one.integration): one for one in results}

    def alerts(self) -> list[Any]:
        return [one for replica in self.replicas for one in json.loads(replica.ask("/api/v2/alerts")[1])]

    def stop(self) -> None:
        for replica in self.replicas:
            replica.stop()
        self.mail.stop()
        self.webhooks.stop()


class Revoked(BaseHTTPRequestHandler):
    """What Slack answers at an address that it has given to nobody, or has taken back: the status is the path's."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(int(self.path.strip("/")))
        self.end_headers()
        self.wfile.write(b"no_service")

    def log_message(self, *_: object) -> None:
        pass


def states(found: Mapping[tuple[str, str], Result]) -> dict[tuple[str, str], State]:
    return {way: one.state for way, one in found.items()}


def all_is_well(stack: Stack, files: Mapping[str, str], folder: Path) -> None:
    """Without a receiver, nobody is woken and the others are told; with two, no drill inhibits another."""
    stack.add(files, folder, RIGHT)
    found = stack.drill()
    told = dict.fromkeys(WAYS.items(), State.TOLD)
    assert states(found) == told | {("critical-alerts", ""): State.LEFT_OUT}
    assert "RECEIVER=critical-alerts" in found["critical-alerts", ""].detail
    assert "send_resolved is off" in found["application-errors", "email"].detail
    assert "and that it is over" in found["warning-alerts", "email"].detail
    assert ONCALL not in {mail.to for mail in stack.mail.received}
    assert stack.webhooks.received["/slack"] == []
    assert stack.alerts() == [], "an alert of the drill is left"

    named = stack.drill("critical-alerts", "warning-alerts")
    assert set(states(named).values()) == {State.TOLD}
    assert set(named) == {("critical-alerts", "email"), ("critical-alerts", "slack"), ("warning-alerts", "email")}
    oncall = [mail for mail in stack.mail.received if mail.to == ONCALL]
    subject = "[CRITICAL] MangakAI Alert: FireDrill"
    assert [mail.subject for mail in oncall] == [subject, f"[RESOLVED] {subject}"]
    assert "Fire drill of stack prod: this arrived, and there is nothing to do." in oncall[0].text
    assert [post.body["attachments"][0]["color"] for post in stack.webhooks.received["/slack"]] == ["danger", "good"]


def wrong_password(stack: Stack, files: Mapping[str, str], folder: Path) -> None:
    """The relay refuses every mail, and says why; the heartbeat is told."""
    stack.add(files, folder, WRONG)
    found = stack.drill()
    mails = [one for one in found.values() if one.integration == "email"]
    assert {one.state for one in mails} == {State.FAILED}
    assert all("alertmanager-0: " in one.detail and "535" in one.detail for one in mails), mails
    assert found["heartbeat", "webhook"].state is State.TOLD
    assert WRONG not in str(found.values())


def one_way_of_two(stack: Stack, files: Mapping[str, str], folder: Path) -> None:
    """The relay refuses, Slack is told, where the metrics do not name receivers."""
    stack.add(files, folder, WRONG, flags=())
    found = states(stack.drill("critical-alerts"))
    assert found == {("critical-alerts", "email"): State.FAILED, ("critical-alerts", "slack"): State.TOLD}


def revoked(stack: Stack, files: Mapping[str, str], folder: Path, status: int) -> None:
    """Slack refuses what is posted: that way alone has failed, at once."""
    replica = stack.add(files, folder, RIGHT)
    with serving(HTTPServer(("127.0.0.1", 0), Revoked)) as port:
        (replica.folder / "alertmanager-secrets" / SLACK_API_URL).write_text(f"http://127.0.0.1:{port}/{status}")
        found = stack.drill("critical-alerts")
    assert found["critical-alerts", "email"].state is State.TOLD
    slack = found["critical-alerts", "slack"]
    assert slack.state is State.FAILED
    assert slack.detail.startswith("alertmanager-0: ")
    assert f"status code {status}" in slack.detail
    assert "no_service" in slack.detail


def muted(stack: Stack, files: Mapping[str, str], folder: Path) -> None:
    """A route in a mute interval tells nobody, and that is no failure; no more is a silence, which says whose it is."""

    def mute(config: dict[str, Any]) -> None:
        config["time_intervals"] = [{"name": "always", "time_intervals": [{"months": ["1:12"]}]}]
        (route,) = (one for one in config["route"]["routes"] if one["receiver"] == "warning-alerts")
        route["mute_time_intervals"] = ["always"]

    replica = stack.add(changed(files, mute), folder, RIGHT)
    now = datetime.now(UTC)
    silence = {
        "matchers": [{"name": "alertname", "value": "ApplicationError", "isRegex": False, "isEqual": True}],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
        "createdBy": "on call",
        "comment": "the migration tonight",
    }
    assert replica.ask("/api/v2/silences", json.dumps(silence))[0] == 200
    found = stack.drill()
    assert found["warning-alerts", "email"].state is State.MUTED
    assert "the interval always" in found["warning-alerts", "email"].detail
    assert found["application-errors", "email"].state is State.MUTED
    assert "silenced by on call until" in found["application-errors", "email"].detail
    assert "the migration tonight" in found["application-errors", "email"].detail
    assert found["default", "email"].state is State.TOLD
    assert [mail.subject for mail in stack.mail.received if "WARNING" in mail.subject] == []


def two_replicas(stack: Stack, files: Mapping[str, str], folder: Path) -> None:
    """One of two has the password of last year: the other tells, once."""
    first, second = stack.ports.prometheus, stack.ports.exporters
    flags = (*NAMED, "--cluster.peer-timeout=3s", "--cluster.settle-timeout=5s")
    stack.add(files, folder, WRONG, (first, second), flags)
    stack.add(files, folder, RIGHT, (second, first), flags)

    def members() -> list[int]:
        return [len(json.loads(one.ask("/api/v2/status")[1])["cluster"]["peers"]) for one in stack.replicas]

    assert Watch.wait(lambda: members() == [2, 2], 30)
    found = stack.drill("warning-alerts")
    assert found["warning-alerts", "email"].state is State.TOLD
    subject = "[WARNING] MangakAI Alert: FireDrill"
    assert [mail.subject for mail in stack.mail.received] == [subject, f"[RESOLVED] {subject}"]


def not_told_apart(stack: Stack, files: Mapping[str, str], folder: Path) -> None:
    """An Alertmanager whose metrics do not name receivers."""
    stack.add(files, folder, RIGHT, flags=())
    assert set(states(stack.drill(*WAYS)).values()) == {State.TOLD}
    assert len(stack.mail.received) == 5


def stopped(stack: Stack, files: Mapping[str, str], folder: Path) -> None:
    """Whoever ends a drill leaves no alert behind."""
    stack.add(files, folder, RIGHT)
    drill = Drill(stack.replicas, "prod", "mangakai-prod", PATIENCE)

    class Impatient(Process):
        def ask(self, path: str, body: str = "") -> tuple[int, str]:
            if "groups" in path:
                raise KeyboardInterrupt
            return super().ask(path, body)

    stack.replicas[0].__class__ = Impatient
    with pytest.raises(KeyboardInterrupt):
        drill.run(["warning-alerts"])
    assert stack.alerts() == []


CASES: dict[str, Callable[[Stack, Mapping[str, str], Path], None]] = {
    "all is well": all_is_well,
    "wrong password": wrong_password,
    "one way of two": one_way_of_two,
    "revoked, 403": partial(revoked, status=http.client.FORBIDDEN),
    "revoked, 404": partial(revoked, status=http.client.NOT_FOUND),
    "muted": muted,
    "two replicas": two_replicas,
    "not told apart": not_told_apart,
    "stopped": stopped,
}


@pytest.fixture(scope="module")
def drilled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, "Future[None]"]]:
    """All at once: they mostly wait."""
    ensure([ALERTMANAGER])
    files = render.stack_files("prod")
    files["templates/links.tmpl"] = notifications.links("https://grafana.example.com", "https://kibana.example.com")

    def play(case: Callable[[Stack, Mapping[str, str], Path], None], folder: Path, first: int) -> None:
        with ExitStack() as ending:
            stack = Stack(Ports(*range(first, first + 5)))
            ending.callback(stack.stop)
            case(stack, files, folder)

    with ThreadPoolExecutor(len(CASES)) as pool:
        yield {
            name: pool.submit(play, case, tmp_path_factory.mktemp("drill"), FIRST_PORT + 10 * number)
            for number, (name, case) in enumerate(CASES.items())
        }


@pytest.mark.parametrize("name", CASES)
def test_fire_drill(drilled: dict[str, "Future[None]"], name: str) -> None:
    drilled[name].result()
