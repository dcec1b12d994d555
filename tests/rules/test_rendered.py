"""What the pods will read, held against the tools of Prometheus and Alertmanager themselves."""

import re

import pytest
import yaml

from sandbox.program_pins import AMTOOL, PROMTOOL
from tests.offline import ROOT
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


def rules(rendered: Rendered) -> list[dict[str, object]]:
    files = [text for path, text in rendered.files.items() if path.startswith("rules/")]
    return [rule for text in files for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


@pytest.mark.requirement("S-008", "S-013", "S-020", "S-021", "S-023")
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
    assert written >= JOBS
    every = {path.stem for path in (ROOT / "scrape").glob("*.yml")}
    assert written <= every
    assert every - written == ({"backup"} if rendered.stack in ("local", "kind") else set())  # they have no bucket
    print(f"\n{rendered.stack}: {found} rules in {len(files)} files, {len(written)} jobs")


@pytest.mark.usefixtures("_tools")
def test_prometheus_takes_the_jobs_as_they_lie() -> None:
    files = sorted((ROOT / "scrape").glob("*.yml"))
    for file in files:
        assert "SUCCESS" in check(PROMTOOL, "check", "config", "--syntax-only", file)
    assert len(files) >= len(JOBS)


@pytest.mark.requirement("S-007", "S-024")
def test_all_alerts_of_the_guide_are_there(rendered: Rendered) -> None:
    by_name = {str(rule["alert"]): rule for rule in rules(rendered) if "alert" in rule}
    assert by_name.keys() >= ALERTS
    for name, rule in by_name.items():
        assert rule["labels"]["severity"] in {"critical", "warning", "none"}, name  # type: ignore[index]
        assert rule["annotations"].keys() >= {"summary", "description", "runbook_url"}, name  # type: ignore[attr-defined]


@pytest.mark.requirement("S-039")
def test_alertmanager_takes_its_configuration(rendered: Rendered) -> None:
    said = check(AMTOOL, "check-config", rendered.localized("alertmanager.yml"))
    assert "SUCCESS" in said
    assert " - 5 receivers" in said
    assert " - 1 templates" in said  # one pattern, which has to match a file
    assert len([path for path in rendered.files if path.startswith("templates/")]) == 2


@pytest.mark.requirement(
    "S-025", "S-026", "S-027", "S-028", "S-029", "S-030", "S-031", "S-032", "S-033", "S-034", "S-035", "S-036",
    "S-037", "S-038",
)  # fmt: skip
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
