"""Who is notified of which alert, and in which words: Alertmanager's own tool on what its pods will read."""

import json
import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import yaml

from components.metrics.notifications import links
from components.metrics.rule_files import steps
from sandbox.program_pins import AMTOOL
from tests.rules.rendered import Rendered, check

HEARTBEAT = {"local": "heartbeat", "kind": "none", "staging": "none", "prod": "heartbeat"}

GRAFANA = "https://grafana.example.com:3000"
KIBANA = "https://kibana.example.com:5601"
ALERTMANAGER = "https://alertmanager.example.com:9093"
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.requirement("S-045", "S-046")
def test_every_alert_reaches_its_receiver(rendered: Rendered) -> None:
    config = rendered.localized("alertmanager.yml")
    receivers = {"critical": "critical-alerts", "warning": "warning-alerts", "none": HEARTBEAT[rendered.stack]}
    pairs = [(alert, severity) for alert, by_severity in steps().items() for severity in by_severity]
    for alert, severity in pairs:
        labels = (
            f"alertname={alert}",
            f"severity={severity}",
            f"service={steps()[alert][severity]['labels']['service']}",
        )
        said = check(AMTOOL, "config", "routes", "test", f"--config.file={config}", *labels)
        assert said.split() == [receivers[severity]], alert
    others = {
        ("severity=info",): "default",
        ("alertname=ApplicationError", "severity=warning", "service=nginx"): "application-errors",
    }
    for given, receiver in others.items():
        assert check(AMTOOL, "config", "routes", "test", f"--config.file={config}", *given).split() == [receiver]
    print(f"\n{rendered.stack}: {len(pairs)} alerts routed")


@pytest.mark.requirement("S-047", "S-048", "S-049", "S-050", "S-076")
def test_receivers_reach_the_people_that_the_guide_names(rendered: Rendered) -> None:
    by_name = {receiver["name"]: receiver for receiver in _config(rendered)["receivers"]}
    domain = "mail.invalid" if rendered.stack == "kind" else "mangakai.com"  # nobody is mailed from a laptop
    assert {
        name: [mail["to"] for mail in by_name[name]["email_configs"]]
        for name in by_name
        if "email_configs" in by_name[name]
    } == {
        "default": [f"team@{domain}"],
        "critical-alerts": [f"oncall@{domain}"],
        "warning-alerts": [f"team@{domain}"],
        "application-errors": [f"team@{domain}"],
    }
    (slack,) = by_name["critical-alerts"]["slack_configs"]
    assert slack["channel"] == "#alerts-critical"
    told_the_end = {
        name for name in by_name for mail in by_name[name].get("email_configs", []) if mail["send_resolved"]
    }
    assert told_the_end == {"default", "critical-alerts", "warning-alerts"}
    assert slack["send_resolved"]


def _config(rendered: Rendered) -> Any:
    return yaml.safe_load(rendered.files["alertmanager.yml"])


class Words(HTMLParser):
    """The text of a page, and where its links lead."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.links = "", dict[str, str]()
        self._link = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._link = str(dict(attrs)["href"]) if tag == "a" else ""

    def handle_endtag(self, tag: str) -> None:
        self._link = ""

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._link:
            self.links[data] = self._link


@pytest.fixture
def say(rendered: Rendered) -> Any:
    """Return a function that executes a field of a receiver for some alerts, as Alertmanager does."""
    folder = rendered.folder / "templates"
    (folder / "links.tmpl").write_text(links(GRAFANA, KIBANA))

    def execute(
        field: str, status: str, pods: list[str], severity: str = "critical", name: str = "HighErrorRate"
    ) -> str:
        common = {"alertname": name, "severity": severity, "service": "mangakai-backend", "zone": "a b/c+"}
        annotations = {
            "summary": "the <summary>",
            "runbook_url": "https://wiki.mangakai.com/runbooks/high-error-rate",
            "dashboard": "mangakai-application",
        }
        alerts = [
            {
                "status": status,
                "labels": {**common, "pod": pod},
                "annotations": {**annotations, "description": f"the description of {pod}"},
                "startsAt": "2026-01-01T03:00:00Z",
                "endsAt": "2026-01-01T03:10:00Z",
            }
            for pod in pods
        ]
        group = {
            "status": status,
            "alerts": alerts,
            "groupLabels": {"alertname": "HighErrorRate"},
            "commonLabels": common,
            "commonAnnotations": annotations,
        }
        return _executed(rendered, field, group)

    return execute


def _executed(rendered: Rendered, field: str, group: dict[str, Any]) -> str:
    """Return what Alertmanager makes of a field of a receiver for a group of alerts."""
    data = rendered.folder / "data.json"
    data.write_text(json.dumps({"receiver": "any", "externalURL": ALERTMANAGER, **group}))
    kind = ["--template.type=html"] if field.lstrip().startswith('{{ template "mangakai.html"') else []
    glob = f"--template.glob={rendered.folder}/templates/*.tmpl"
    return check(AMTOOL, "template", "render", glob, f"--template.data={data}", *kind, "--template.text", field)


@pytest.mark.parametrize("status", ["firing", "resolved"])
@pytest.mark.parametrize("pods", [["a"], ["a", "b", "c"]], ids=["one", "many"])
@pytest.mark.parametrize("receiver", ["default", "critical-alerts", "warning-alerts"])
@pytest.mark.requirement("S-047", "S-048", "S-050")
def test_mails_say_what_is_wrong_and_what_to_do(
    rendered: Rendered, say: Any, receiver: str, pods: list[str], status: str
) -> None:
    severity = {"critical-alerts": "critical", "warning-alerts": "warning"}.get(receiver, "info")
    by_name = {each["name"]: each for each in _config(rendered)["receivers"]}
    (mail,) = by_name[receiver]["email_configs"]
    subject = {
        "default": "[MangakAI] HighErrorRate",
        "critical-alerts": "[CRITICAL] MangakAI Alert: HighErrorRate",
        "warning-alerts": "[WARNING] MangakAI Alert: HighErrorRate",
    }[receiver]
    resolved = status == "resolved"
    assert say(mail["headers"]["Subject"], status, pods, severity) == ("[RESOLVED] " if resolved else "") + subject

    text = say(mail["text"], status, pods, severity)
    heading = {"critical-alerts": "🚨 CRITICAL ALERT 🚨", "warning-alerts": "⚠️ WARNING ALERT ⚠️"}.get(receiver, "")
    assert text.lstrip().startswith(("✅ RESOLVED ✅" if heading else "[RESOLVED]") if resolved else heading)
    for pod in pods:
        assert f"Alert: the <summary>\nDescription: the description of {pod}\n" in text
    assert text.count("Since: 2026-01-01 03:00:00 UTC") == len(pods)
    assert ("Until: 2026-01-01 03:10:00 UTC" in text) is resolved
    assert f"Status: {status}, severity {severity}" in text
    assert "Runbook: https://wiki.mangakai.com/runbooks/high-error-rate\n" in text
    assert f"Dashboard: {GRAFANA}/d/mangakai-application\n" in text
    assert "<no value>" not in text

    page = Words(say(mail["html"], status, pods, severity))
    assert ("RESOLVED" in page.text) is resolved
    assert f"{severity} · HighErrorRate" in page.text
    for pod in pods:
        assert f"the description of {pod}" in page.text
    assert page.text.count("the <summary>") == len(pods)
    assert page.links["Runbook"] == "https://wiki.mangakai.com/runbooks/high-error-rate"
    assert page.links["Dashboard"] == f"{GRAFANA}/d/mangakai-application"
    assert page.links["Alerts"] == f"{ALERTMANAGER}/#/alerts"
    silence = re.findall(r"Silence: (\S+)", text)
    assert bool(silence) is ("Silence" in page.links) is not resolved
    for link in silence + [page.links[name] for name in ("Silence",) if not resolved]:
        assert link.lower() == (
            f"{ALERTMANAGER}/#/silences/new?filter=%7balertname%3d%22higherrorrate%22%2cservice%3d%22mangakai-backend%22"
            f"%2cseverity%3d%22{severity}%22%2czone%3d%22a%20b%2fc%2b%22%7d"
        )


@pytest.mark.parametrize("status", ["firing", "resolved"])
@pytest.mark.requirement("S-049")
def test_slack_says_the_same(rendered: Rendered, say: Any, status: str) -> None:
    by_name = {each["name"]: each for each in _config(rendered)["receivers"]}
    (slack,) = by_name["critical-alerts"]["slack_configs"]
    resolved = status == "resolved"
    title = ("[RESOLVED] " if resolved else "") + "Critical Alert: HighErrorRate"
    assert say(slack["title"], status, ["a"]) == say(slack["fallback"], status, ["a"]) == title
    text = say(slack["text"], status, ["a", "b"])
    assert "the description of a" in text
    assert "the description of b" in text
    assert "<https://wiki.mangakai.com/runbooks/high-error-rate|Runbook>" in text
    assert f"<{GRAFANA}/d/mangakai-application|Dashboard>" in text
    assert (f"<{ALERTMANAGER}/#/silences/new?filter=" in text) is not resolved
    assert f"Status: {status}, severity critical" in text
    assert " alerts, the first " not in text


def test_slack_shows_the_links_and_a_count_however_many_alerts_there_are(rendered: Rendered, say: Any) -> None:
    by_name = {each["name"]: each for each in _config(rendered)["receivers"]}
    (slack,) = by_name["critical-alerts"]["slack_configs"]
    pods = [f"mangakai-backend-7f9c6d5b8-{number:05}" for number in range(200)]
    text = say(slack["text"], "firing", pods)
    assert len(text) < 8000, "Slack cuts it"
    assert text.startswith("<https://wiki.mangakai.com/runbooks/high-error-rate|Runbook> · <")
    assert "|Silence>\n" in text
    assert "\n200 alerts, the first 20 of them:\n" in text
    assert text.count("the description of") == 20


@pytest.mark.parametrize("name", ["PodCrashLooping", "PodNotReady", "HighErrorRate"])
def test_an_alert_about_a_pod_leads_to_what_kubernetes_says_of_it(rendered: Rendered, say: Any, name: str) -> None:
    by_name = {each["name"]: each for each in _config(rendered)["receivers"]}
    pods, found = ["backend-0", "backend-1"], set[str]()
    for receiver, severity in {"default": "info", "critical-alerts": "critical", "warning-alerts": "warning"}.items():
        (mail,) = by_name[receiver]["email_configs"]
        text = say(mail["text"], "firing", pods, severity, name)
        found |= {unquote(link) for link in re.findall(r"^Events: (\S+)$", text, flags=re.MULTILINE)}
        page = Words(say(mail["html"], "firing", pods[:1], severity, name))
        found |= {unquote(link) for text, link in page.links.items() if text == "Events"}
    (slack,) = by_name["critical-alerts"]["slack_configs"]
    text = say(slack["text"], "firing", pods, "critical", name)
    found |= {unquote(link) for link in re.findall(r"<(\S+)\|Events>", text)}
    view = "dataSource:(dataViewId:mangakai-logs,type:dataView)"
    queries = [f'mangakai.object.name:"{pod}" or kubernetes.pod.name:"{pod}"' for pod in pods]
    assert found == (
        set()
        if name == "HighErrorRate"
        else {
            f"{KIBANA}/app/discover#/?_g=(time:(from:'2026-01-01T02:00:00.000Z',to:now))"
            f"&_a=({view},query:(language:kuery,query:'{query}'))"
            for query in queries
        }
    )


def test_slack_cuts_no_text_of_many_pods(rendered: Rendered, say: Any) -> None:
    by_name = {each["name"]: each for each in _config(rendered)["receivers"]}
    (slack,) = by_name["critical-alerts"]["slack_configs"]
    pods = [f"mangakai-backend-7f9c6d5b8-{number:05}" for number in range(200)]
    assert len(say(slack["text"], "firing", pods, "critical", "PodCrashLooping")) < 8000


@pytest.mark.parametrize(
    ("trace", "kept"),
    # As Logstash writes what a line does not have.
    [(TRACE, "%{[mangakai][trace][kept]}"), (TRACE, "true"), (TRACE, "false"), ("", "%{[mangakai][trace][kept]}")],
    ids=["traced", "kept", "not kept", "untraced"],
)
@pytest.mark.requirement("S-076")
def test_the_mail_about_an_error_leads_to_its_lines_and_its_trace(rendered: Rendered, trace: str, kept: str) -> None:
    (rendered.folder / "templates" / "links.tmpl").write_text(links(GRAFANA, KIBANA))
    by_name = {each["name"]: each for each in _config(rendered)["receivers"]}
    (mail,) = by_name["application-errors"]["email_configs"]
    labels = {
        "alertname": "ApplicationError",
        "severity": "warning",
        "service": "mangakai-backend",
        "logger": "mangakai.api'!\"",
    }
    annotations = {
        "summary": "Error in MangakAI Application",
        "description": "Error detected: <b>no</b> page\nTraceback",
        "trace_id": trace,
        "trace_kept": kept,
        "hour": "2026-01-01T03:00:00.000Z",
    }
    alert = {"status": "firing", "labels": labels, "annotations": annotations, "startsAt": "2026-01-01T03:12:00Z"}
    group = {
        "status": "firing",
        "alerts": [alert],
        "groupLabels": labels,
        "commonLabels": labels,
        "commonAnnotations": annotations,
    }
    assert _executed(rendered, mail["headers"]["Subject"], group) == "Error in MangakAI Application"
    text = _executed(rendered, mail["text"], group)
    assert text.lstrip().startswith("Error detected: <b>no</b> page\nTraceback\n")
    assert "Service: mangakai-backend\nLogger: mangakai.api'!\"\nSince: 2026-01-01 03:12:00 UTC\n" in text
    assert "<no value>" not in text
    page = Words(_executed(rendered, mail["html"], group))
    assert "Error detected: <b>no</b> page" in page.text

    found = dict(re.findall(r"^(Logs|Trace): (\S+)$", text, flags=re.MULTILINE))
    assert found.keys() == ({"Logs", "Trace"} if trace and kept != "false" else {"Logs"})
    for name, link in found.items():
        assert unquote(page.links[name]) == unquote(link)
    where, _, state = unquote(found["Logs"]).partition("#/?")
    assert where == f"{KIBANA}/app/discover"
    time, _, app = state.partition("&")
    assert time == "_g=(time:(from:'2026-01-01T03:00:00.000Z',to:now))"
    query = (
        f'trace.id:"{trace}"'
        if trace
        else 'service.name:"mangakai-backend" and log.logger:"mangakai.api" and tags:error'
    )
    view = "dataSource:(dataViewId:mangakai-logs,type:dataView)"
    assert app == f"_a=({view},query:(language:kuery,query:'{query}'))"
    if "Trace" in found:
        link = urlsplit(found["Trace"])
        assert f"{link.scheme}://{link.netloc}{link.path}" == f"{GRAFANA}/explore"
        (pane,) = json.loads(parse_qs(link.query)["panes"][0]).values()
        assert pane["datasource"] == "jaeger"
        assert pane["queries"] == [{"refId": "A", "datasource": {"type": "jaeger", "uid": "jaeger"}, "query": trace}]
