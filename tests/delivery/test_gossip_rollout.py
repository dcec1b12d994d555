"""Three replicas that gossip in the clear get certificates one after the other, as the pods of a stack that is up.

Those that have them and those that have none do not find each other: until the last one is replaced, there are two
groups.
"""

import contextlib
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from operations import render
from sandbox.build import ensure
from sandbox.demo import loopback
from sandbox.demo.loopback import Ports
from sandbox.demo.sinks import Mail, MailServer, Webhooks
from sandbox.demo.watch import Watch
from sandbox.program_pins import ALERTMANAGER
from tests.delivery.alertmanagers import Replica, gossip_flags
from tests.offline import run

PORTS = (29360, 29362, 29364)
SMTP, WEBHOOKS, PASSWORD = 29366, 29367, "canary-mail-90c2"
# Seconds in which each replica has told what nobody else has: it waits for more alerts of the group, and 15 for each
# replica before it. Production's own times; a critical alert is mailed again after half an hour.
TOLD = 10 + 2 * 15 + 5
BEFORE, SILENCED = "FiresBefore", "IsSilenced"
AMID = ("BeginsAfterTheFirst", "BeginsAfterTheSecond", "BeginsAfterTheLast")


class Prometheus:
    """Tells every replica again and again what fires, as Prometheus does."""

    def __init__(self, replicas: list[Replica]) -> None:
        self.firing = {BEFORE, SILENCED}
        self._replicas = replicas
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tell)

    def __enter__(self) -> "Prometheus":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _tell(self) -> None:
        began = datetime.now(UTC).isoformat()
        while not self._ended.wait(1):
            labels = [{"alertname": name, "severity": "critical", "service": "backend"} for name in [*self.firing]]
            alerts = [{"labels": one, "annotations": {"summary": "x"}, "startsAt": began} for one in labels]
            for replica in self._replicas:
                with contextlib.suppress(OSError):  # one is being replaced
                    replica.post("alerts", alerts)


def configuration(folder: Path) -> Path:
    """Write production's configuration, which mails to this machine, and return where alertmanager.yml is."""
    files = render.stack_files("prod")
    ports = Ports(prometheus=0, alertmanager=0, exporters=0, smtp=SMTP, webhooks=WEBHOOKS)
    loopback.write(files, folder, ports, [], PASSWORD, speed=1)
    return folder / "alertmanager" / "alertmanager.yml"


def mailed(mails: list[Mail]) -> Counter[str]:
    """Return how often each alert was mailed."""
    return Counter(name for mail in mails for name in (BEFORE, *AMID, SILENCED) if name in mail.subject)


def test_a_rollout_keeps_silences_and_mails_an_alert_at_most_twice(tmp_path: Path) -> None:
    ensure([ALERTMANAGER])
    (tmp_path / "charts").mkdir()
    flags = gossip_flags(run("prod", tmp_path / "charts"), tmp_path / "secret")
    config = configuration(tmp_path / "configuration")
    replicas = [Replica(tmp_path / f"replica-{port}", port, PORTS, config) for port in PORTS]
    mail, webhooks = MailServer(SMTP, PASSWORD), Webhooks(WEBHOOKS)
    try:
        for replica in replicas:
            replica.start([])
        assert Watch.wait(lambda: all(replica.members() == 3 for replica in replicas), 30)
        for number, replica in enumerate(replicas):
            replica.silence(f"of replica {number}", SILENCED)
        with Prometheus(replicas) as prometheus:
            assert Watch.wait(lambda: mailed(mail.received)[BEFORE] > 0, 60), replicas[0].log.read_text()
            time.sleep(5)  # in which the others hear that it was
            began = time.monotonic()
            # The controller of a StatefulSet begins with the last pod, and waits for each.
            for replica, name in zip(reversed(replicas), AMID, strict=True):
                replica.end()
                replica.start(flags)
                prometheus.firing.add(name)
                replica.silence(f"after {name}", SILENCED)
                # From then on it tells what nobody in its group has told.
                assert Watch.wait(replica.is_settled, 60), replica.log.read_text()
            took = time.monotonic() - began
            expected = {*(f"of replica {number}" for number in range(3)), *(f"after {name}" for name in AMID)}
            for replica in replicas:
                assert Watch.wait(partial(replica.has, expected), 60), replica.silences()
                assert replica.members() == 3
            time.sleep(TOLD)
        counts = mailed(mail.received)
        print(f"\n{took:.1f} s, mails: {dict(counts)}", end="")
        assert counts.pop(SILENCED, 0) == 0
        assert counts.keys() == {BEFORE, *AMID}
        assert counts[BEFORE] == 1
        assert max(counts.values()) <= 2
    finally:
        for replica in replicas:
            replica.end()
        mail.stop()
        webhooks.stop()
