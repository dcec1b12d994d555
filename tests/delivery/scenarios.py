"""What is watched from a fault to the notification, each in a demo of its own; an assertion that fails ends it.

At speed 10 every duration is a tenth, but for the ranges of expressions: those are tested as they are.
"""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sandbox.demo.sinks import Mail
from sandbox.demo.watch import Watch
from tests.delivery import reported

ONCALL, TEAM = "oncall@mangakai.com", "team@mangakai.com"
HEALTHY_SECONDS = 40


@dataclass(frozen=True)
class Scenario:
    """What happens, and at which speed."""

    play: Callable[[Watch], None]
    speed: float = 10


def outage(watch: Watch) -> None:
    """Every request fails: mail and Slack reach those on call, say what is wrong, and later that it is over."""
    healthy(watch)
    watch.exporters.faults.add("errors")
    mail = arrived(watch, "HighErrorRate", 60)
    assert (mail.to, mail.subject) == (ONCALL, "[CRITICAL] MangakAI Alert: HighErrorRate")
    assert "🚨 CRITICAL ALERT 🚨" in mail.text
    assert "Alert: High error rate detected\nDescription: Error rate is " in mail.text
    assert "Runbook: https://wiki.mangakai.com/runbooks/high-error-rate" in mail.text
    assert "Dashboard: https://grafana.example.com/d/mangakai-application" in mail.text
    assert f"Silence: http://localhost:{watch.ports.alertmanager}/#/silences/new?filter=%7Balertname%3D" in mail.text
    assert "cluster=mangakai-prod" in mail.text
    assert "prometheus_replica" not in mail.text
    assert '<a href="https://wiki.mangakai.com/runbooks/high-error-rate">Runbook</a>' in mail.html
    assert watch.wait(lambda: bool(watch.webhooks.received["/slack"]), 10)
    (slack,) = watch.webhooks.received["/slack"]
    assert slack.body["channel"] == "#alerts-critical"
    assert slack.body["attachments"][0]["title"] == "Critical Alert: HighErrorRate"
    assert slack.body["attachments"][0]["color"] == "danger"

    watch.exporters.faults.clear()
    over = arrived(watch, "HighErrorRate", 150, resolved=True)
    assert (over.to, over.subject) == (ONCALL, "[RESOLVED] [CRITICAL] MangakAI Alert: HighErrorRate")
    assert "✅ RESOLVED ✅" in over.text
    assert "Until: " in over.text
    assert watch.wait(lambda: len(watch.webhooks.received["/slack"]) == 2, 10)
    assert watch.webhooks.received["/slack"][1].body["attachments"][0]["color"] == "good"
    assert len(watch.mail.received) == 2


def inhibition(watch: Watch) -> None:
    """The critical step of an alert silences its warning; all targets down silence the news of each."""
    healthy(watch)
    watch.exporters.faults |= {"postgres-full", "backend-down"}
    arrived(watch, "PostgreSQLTooManyConnections", 60)
    arrived(watch, "TargetDown", 60)

    def warnings() -> list[str]:
        found = watch.ask(watch.ports.alertmanager, "/api/v2/alerts")
        return [
            alert["labels"]["alertname"]
            for alert in found
            if alert["labels"]["severity"] == "warning" and alert["status"]["inhibitedBy"]
        ]

    expected = ["PostgreSQLTooManyConnections", "TargetDown", "TargetDown"]
    assert watch.wait(lambda: sorted(warnings()) == expected, 60), warnings()
    time.sleep(40 / watch.speed * 10)  # more than a group interval: what was to be sent is sent
    assert {mail.to for mail in watch.mail.received} == {ONCALL}
    assert sorted(mail.subject for mail in watch.mail.received) == [
        "[CRITICAL] MangakAI Alert: PostgreSQLTooManyConnections",
        "[CRITICAL] MangakAI Alert: TargetDown",
    ]


def errors_become_an_outage(watch: Watch) -> None:
    """Requests fail, then no pod answers: the errors' end is told, and what the logs say of it is mailed meanwhile."""
    healthy(watch)
    watch.exporters.faults.add("errors")
    arrived(watch, "HighErrorRate", 60)
    watch.exporters.faults.add("backend-down")
    arrived(watch, "TargetDown", 60)
    fields = {
        "message": "no connection to PostgreSQL",
        "[service][name]": "mangakai-backend",
        "[log][logger]": "mangakai.api",
        "[trace][id]": "",
        # As Logstash leaves what is not there.
        "[mangakai][trace][kept]": "%{[mangakai][trace][kept]}",
        "[@metadata][hour]": "2026-01-01T03:00:00.000Z",
    }
    over = datetime.now(UTC) + timedelta(seconds=60)
    watch.post_alert(reported.alert(fields, "mangakai-prod") | {"endsAt": over.isoformat()})
    assert watch.wait(lambda: any("no connection to PostgreSQL" in mail.text for mail in watch.mail.received), 10)
    arrived(watch, "HighErrorRate", 150, resolved=True)
    assert "TargetDown" in watch.firing()


def mail_server_down(watch: Watch) -> None:
    """The mail server is away for a while: the mail comes once, later."""
    healthy(watch)
    watch.mail.stop()
    watch.exporters.faults.add("redis-down")
    assert watch.wait(lambda: "RedisDown" in watch.firing(), 60)
    assert watch.wait(lambda: bool(watch.webhooks.received["/slack"]), 30), "Slack waits for the mail server"
    time.sleep(10)
    assert watch.mail.received == []
    watch.mail.start()
    arrived(watch, "RedisDown", 60)
    time.sleep(40)
    assert subjects(watch) == ["[CRITICAL] MangakAI Alert: RedisDown"], subjects(watch)
    assert len(watch.webhooks.received["/slack"]) == 1


def alertmanager_restarted(watch: Watch) -> None:
    """Alertmanager restarts during an alert: it is not told twice, and its end is not missed."""
    healthy(watch)
    watch.exporters.faults.add("redis-down")
    arrived(watch, "RedisDown", 60)
    # What Alertmanager could not note as sent before it ended is sent again; it notes a mail once it is accepted.
    time.sleep(2)
    watch.end("alertmanager")
    watch.start("alertmanager")
    time.sleep(45)
    assert subjects(watch) == ["[CRITICAL] MangakAI Alert: RedisDown"], subjects(watch)
    watch.exporters.faults.clear()
    assert watch.wait(lambda: any("keepFiringSince" in alert for alert in watch.alerts()), 30), states(watch)
    # Most of the 30 s for which the alert is held: an Alertmanager that is away for so long is told of as well.
    time.sleep(20)
    watch.end("alertmanager")
    assert "RedisDown" in watch.firing(), "it was over before Alertmanager was away"
    assert watch.wait(lambda: "RedisDown" not in watch.firing(), 30)
    watch.start("alertmanager")
    arrived(watch, "RedisDown", 90, resolved=True)
    assert subjects(watch) == [
        "[CRITICAL] MangakAI Alert: RedisDown",
        "[RESOLVED] [CRITICAL] MangakAI Alert: RedisDown",
    ], subjects(watch)


def prometheus_killed(watch: Watch) -> None:
    """Prometheus dies: the heartbeat stops, and nothing else says so."""
    healthy(watch)
    beats = watch.webhooks.received["/heartbeat"]
    assert watch.wait(lambda: len(beats) >= 4, 60)
    gaps = [after.at - before.at for before, after in itertools.pairwise(beats)]
    assert max(gaps) < 90 / watch.speed, gaps
    watch.end("prometheus", kill=True)
    killed = time.monotonic()
    # Prometheus' last word counts for four times the interval at which it repeats it.
    time.sleep((4 * 60 + 60) / watch.speed)
    last = beats[-1].at
    time.sleep(3 * 60 / watch.speed)
    assert beats[-1].at == last, "the heart beats on without Prometheus"
    print(f"\nthe last heartbeat came {last - killed:.1f} s after Prometheus was killed, at speed {watch.speed:g}")
    assert watch.mail.received == []


def application_errors(watch: Watch) -> None:
    """Logstash reports errors again and again: one mail for each service and logger, and another after 15 minutes."""

    def report(logger: str, minutes: float = 10) -> None:
        fields = {
            "message": "the page of 漫画 <1> is lost",
            "[service][name]": "mangakai-backend",
            "[log][logger]": logger,
            "[trace][id]": "0af7651916cd43dd8448eb211c80319c",
            "[mangakai][trace][kept]": "true",
            "[@metadata][hour]": "2026-01-01T03:00:00.000Z",
        }
        over = datetime.now(UTC) + timedelta(minutes=minutes / watch.speed)
        watch.post_alert(reported.alert(fields, "mangakai-prod") | {"endsAt": over.isoformat()})

    healthy(watch)
    report("mangakai.api")
    assert watch.wait(lambda: len(watch.mail.received) == 1, 10), "no mail about the error"
    report("mangakai.api")
    report("mangakai.pages", minutes=1)
    assert watch.wait(lambda: len(watch.mail.received) == 2, 10), "no mail about the other"
    time.sleep(4 * 60 / watch.speed)
    report("mangakai.pages", minutes=1)  # the first was over by then
    time.sleep(3 * 60 / watch.speed)
    assert subjects(watch) == ["Error in MangakAI Application"] * 2, subjects(watch)
    (mail,) = (mail for mail in watch.mail.received if "Logger: mangakai.pages" in mail.text)
    assert mail.to == TEAM
    assert "Error detected: the page of 漫画 <1> is lost\n" in mail.text
    trace = "0af7651916cd43dd8448eb211c80319c"
    assert "Logs: https://kibana.example.com/app/discover#/?_g=(time:(from:'2026-01-01T03:00" in mail.text
    assert f"query:'trace.id:%22{trace}%22'))\nTrace: https://grafana.example.com/explore?" in mail.text
    report("mangakai.api", minutes=15)
    assert watch.wait(lambda: len(watch.mail.received) == 3, 16 * 60 / watch.speed), "no second mail"
    first, last = (
        mail.at for mail in (watch.mail.received[0], watch.mail.received[-1]) if "Logger: mangakai.api\n" in mail.text
    )
    print(f"\nthe same error was mailed again after {last - first:.0f} s, at speed {watch.speed:g}")
    # The first may have come late: what is due after 15 minutes is not sent before 14.
    assert last - first > 14 * 60 / watch.speed
    assert watch.webhooks.received["/slack"] == []


def blip(watch: Watch) -> None:
    """Every request fails for 30 seconds, at true speed: nobody is told."""
    healthy(watch)
    watch.exporters.faults.add("errors")
    time.sleep(30)
    watch.exporters.faults.clear()
    assert watch.wait(lambda: "HighErrorRate" in states(watch), 30), "the blip was not even seen"
    assert watch.wait(lambda: "HighErrorRate" not in states(watch), 150)
    time.sleep(20)
    assert watch.mail.received == []
    assert watch.webhooks.received["/slack"] == []


def time_to_mail(watch: Watch) -> None:
    """Every request fails for good, at true speed: the mail is there within three minutes."""
    healthy(watch)
    began = time.monotonic()
    watch.exporters.faults.add("errors")
    mail = arrived(watch, "HighErrorRate", 180)
    print(f"\nfrom the first failed request to the mail: {mail.at - began:.0f} s, at true speed")


SCENARIOS = {
    "outage": Scenario(outage),
    "inhibition": Scenario(inhibition),
    "errors_become_an_outage": Scenario(errors_become_an_outage),
    "mail_server_down": Scenario(mail_server_down),
    "alertmanager_restarted": Scenario(alertmanager_restarted),
    "prometheus_killed": Scenario(prometheus_killed),
    # A mail that takes longer than the minute between 14 and 15, on a busy machine, is repeated an interval late.
    "application_errors": Scenario(application_errors, speed=5),
    "blip": Scenario(blip, speed=1),
    "time_to_mail": Scenario(time_to_mail, speed=1),
}


def healthy(watch: Watch) -> None:
    """Let everything run for a while: no alert but the Watchdog, and no notification."""
    time.sleep(HEALTHY_SECONDS)
    assert watch.firing() == {"Watchdog"}
    assert watch.mail.received == []


def states(watch: Watch) -> dict[str, str]:
    """Return the state of each alert that is pending or firing."""
    return {alert["labels"]["alertname"]: alert["state"] for alert in watch.alerts()}


def subjects(watch: Watch) -> list[str]:
    """Return the subjects of the mails that arrived."""
    return [mail.subject for mail in watch.mail.received]


def arrived(watch: Watch, alert: str, seconds: float, resolved: bool = False) -> Mail:
    """Wait for the one mail about an alert, and return it."""

    def found() -> list[Mail]:
        return [
            mail
            for mail in watch.mail.received
            if mail.subject.endswith(alert) and mail.subject.startswith("[RESOLVED]") is resolved
        ]

    assert watch.wait(lambda: bool(found()), seconds), f"no mail of {alert} in {seconds:.0f} s: {states(watch)}"
    return found()[0]
