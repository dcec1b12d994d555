"""What the pods will read, held against the tools of Prometheus and Alertmanager themselves."""

import json
import re
from pathlib import Path

import pytest
import yaml

from sandbox.programs import AMTOOL, PROMTOOL
from tests.program import ROOT
from tests.rules.rendered import Rendered, check

ALERTS = {
    "HighErrorRate", "HighResponseTime", "CeleryTaskFailureRate", "CeleryQueueLength", "PodCrashLooping", "PodNotReady",
    "HighMemoryUsage", "HighCPUUsage", "PostgreSQLDown", "PostgreSQLTooManyConnections", "RedisDown",
    "RedisHighMemoryUsage", "LowMangaGenerationRate", "HighMangaGenerationFailureRate",
}  # fmt: skip
JOBS = {
    "kubernetes-apiservers", "kubernetes-nodes", "kubernetes-pods", "mangakai-backend", "redis", "postgres", "nginx",
    "node-exporter",
}  # fmt: skip
OURS = {
    "kubernetes-nodes-cadvisor", "kube-state-metrics", "prometheus", "alertmanager", "grafana", "elastic-operator",
    "jaeger-collector", "jaeger-query", "jaeger-operator",
}  # fmt: skip


def rules(rendered: Rendered) -> list[dict[str, object]]:
    files = [text for path, text in rendered.files.items() if path.startswith("rules/")]
    return [rule for text in files for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def test_prometheus_takes_configuration_rules_and_jobs(rendered: Rendered) -> None:
    rendered.localize_folder("scrape_configs", "etc/prometheus/scrape_configs")
    said = check(PROMTOOL, "check", "config", rendered.localized("prometheus.yml"))
    files = [path for path in rendered.files if path.startswith("rules/")]
    assert f"SUCCESS: {len(files)} rule files found" in said
    assert said.count("SUCCESS") >= len(files) + 1
    found = sum(int(number) for number in re.findall(r"SUCCESS: (\d+) rules found", said))
    assert found == len(rules(rendered))
    written = {
        job["job_name"]
        for path, text in rendered.files.items()
        if path.startswith("scrape_configs/")
        for job in yaml.safe_load(text)["scrape_configs"]
    }
    assert written == JOBS | OURS
    print(f"\n{rendered.stack}: {found} rules in {len(files)} files, {len(written)} jobs")


def test_all_alerts_of_the_guide_are_there(rendered: Rendered) -> None:
    by_name = {str(rule["alert"]): rule for rule in rules(rendered) if "alert" in rule}
    assert by_name.keys() >= ALERTS
    for name, rule in by_name.items():
        assert rule["labels"]["severity"] in {"critical", "warning", "none"}, name  # type: ignore[index]
        assert rule["annotations"].keys() >= {"summary", "description", "runbook_url"}, name  # type: ignore[attr-defined]


def test_alertmanager_takes_its_configuration(rendered: Rendered) -> None:
    said = check(AMTOOL, "check-config", rendered.localized("alertmanager.yml"))
    assert "SUCCESS" in said
    assert " - 4 receivers" in said
    templates = [path for path in rendered.files if path.startswith("templates/")]
    assert f" - {len(templates)} templates" in said


@pytest.mark.parametrize(
    ("severity", "receiver"),
    [("critical", "critical-alerts"), ("warning", "warning-alerts"), ("none", "none"), ("info", "default")],
)
def test_each_severity_reaches_its_receiver(rendered: Rendered, severity: str, receiver: str) -> None:
    config = rendered.localized("alertmanager.yml")
    assert check(AMTOOL, "config", "routes", "test", f"--config.file={config}", f"severity={severity}").split() == [
        receiver
    ]


@pytest.mark.parametrize("status", ["firing", "resolved"])
def test_every_template_renders(rendered: Rendered, tmp_path: Path, status: str) -> None:
    labels = {"alertname": "HighErrorRate", "severity": "critical", "service": "mangakai-backend"}
    annotations = {"summary": "the summary", "description": "the description", "runbook_url": "https://runbook"}
    data = tmp_path / "data.json"
    alert = {"status": status, "labels": labels, "annotations": annotations, "startsAt": "2026-01-01T00:00:00Z"}
    data.write_text(
        json.dumps(
            {"receiver": "r", "status": status, "alerts": [alert], "groupLabels": labels, "commonLabels": labels}
        )
    )
    (template,) = (tmp_path / "templates").glob("*.tmpl")
    defines = re.findall(r'define "([^"]+)"', template.read_text())
    named = re.findall(r'template "([^"]+)" \.', rendered.files["alertmanager.yml"])
    assert set(named) <= set(defines)
    arguments = (f"--template.glob={template}", f"--template.data={data}", "--template.text")
    said = {
        name: check(AMTOOL, "template", "render", *arguments, f'{{{{ template "{name}" . }}}}') for name in set(named)
    }
    resolved = status == "resolved"
    assert ("RESOLVED" in said["mangakai.critical.text"]) is resolved
    for kind, subject in {
        "critical": "[CRITICAL] MangakAI Alert: HighErrorRate",
        "warning": "[WARNING] MangakAI Alert: HighErrorRate",
        "default": "[MangakAI] HighErrorRate",
    }.items():
        assert subject in said[f"mangakai.{kind}.subject"]
        assert "Alert: the summary" in said[f"mangakai.{kind}.text"]
        assert "Description: the description" in said[f"mangakai.{kind}.text"]
    assert "Runbook: https://runbook" in said["mangakai.critical.text"]
    assert ("🚨 CRITICAL ALERT 🚨" in said["mangakai.critical.text"]) is not resolved
    assert "Critical Alert: HighErrorRate" in said["mangakai.slack.title"]


def test_the_rules_do_what_they_say() -> None:
    files = sorted((ROOT / "rules" / "tests").glob("*.yml"))
    said = check(PROMTOOL, "test", "rules", *files)
    assert said.count("SUCCESS") == len(files) >= 6
    tested = {
        case["alertname"]
        for file in files
        for group in yaml.safe_load(file.read_text())["tests"]
        for case in group.get("alert_rule_test", [])
    }
    assert tested >= ALERTS
