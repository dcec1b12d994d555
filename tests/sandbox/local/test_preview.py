"""`make preview` against what is deployed: through the real engine, with the objects of Releases by real Helm."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.preview.charts import newer_prometheus
from tests.sandbox.conftest import CANARIES, Project

ROTATED = "https://hooks.slack.com/services/rotated-canary-9d41"
RULES, PINS = "rules/application.yml", "components/foundation/chart_pins.py"


def preview(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Preview the stack, and see that no secret comes out, neither an old one nor a new one."""
    command = [sys.executable, "-m", "operations.preview", "--stack", "local", *arguments]
    done = subprocess.run(
        command,
        cwd=project.folder,
        env=project.environment("local"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    print(done.stdout[-6000:], done.stderr[-2000:], sep="\n")
    for text in (done.stdout, done.stderr):
        assert not any(secret in text for secret in (*CANARIES.values(), ROTATED))
        assert "canary" not in text
    return done


def summary(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the lines from the summary on."""
    lines = done.stdout.splitlines()
    return lines[next(number for number, line in enumerate(lines) if line.startswith("Stack local, against")) :]


@pytest.fixture
def restored(project: Project) -> Iterator[None]:
    """What a test changes is as it was, afterwards."""
    before = {name: (project.folder / name).read_text() for name in (RULES, PINS)}
    yield
    for name, text in before.items():
        (project.folder / name).write_text(text)
    project.prepare("local")


def test_nothing_changes_right_after_an_update(project: Project) -> None:
    done = preview(project)
    assert summary(done) == ["Stack local, against what is deployed: nothing changes."]
    assert done.returncode == 0


@pytest.mark.usefixtures("restored")
def test_a_threshold_replicas_and_a_rotated_secret(project: Project) -> None:
    text = (project.folder / RULES).read_text()
    assert "> 0.05 # threshold" in text
    (project.folder / RULES).write_text(text.replace("> 0.05 # threshold", "> 0.06 # threshold"))
    project.prepare("local", prometheus={"replicas": 2})
    assert project.pulumi("local", "config", "set", "--secret", "slackApiUrl", ROTATED).returncode == 0
    done = preview(project)
    assert "slack-api-url: [secret] => [secret]" in done.stdout, "Pulumi's own difference comes first"
    assert "spec.replicas\n        - 1\n        + 2" in done.stdout
    assert summary(done) == [
        "Stack local, against what is deployed: 1 added, 3 changed.",
        "  Secrets that change: Secret monitoring/alertmanager-notifications (slack-api-url)",
    ]
    assert done.returncode == 0
    told = json.loads(preview(project, "--json").stdout)
    assert told["summary"] == summary(done)
    (objects,) = told["releases"].values()
    assert {(one["what"], one["object"]) for one in objects} == {
        ("added", "PodDisruptionBudget monitoring/prometheus"),
        ("changed", "StatefulSet monitoring/prometheus"),
    }


@pytest.mark.usefixtures("restored")
def test_a_chart_whose_old_archive_is_gone_is_compared_with_what_helm_deployed(
    project: Project, tmp_path: Path
) -> None:
    charts = project.sandbox.directory / "charts"
    new, old = newer_prometheus(charts, tmp_path), charts / "prometheus-29.27.0.tgz"
    pins = (project.folder / PINS).read_text()
    (project.folder / PINS).write_text(pins.replace('"29.27.0"', '"29.28.0"'))
    held = Path(shutil.move(old, tmp_path))
    try:
        done = preview(project)
    finally:
        shutil.move(held, old)
        new.unlink()
    assert "Release monitoring/prometheus, chart prometheus-29.27.0 -> prometheus-29.28.0" in done.stdout
    assert "- quay.io/prometheus/prometheus:v3.14.0\n        + quay.io/prometheus/prometheus:v3.15.0" in done.stdout
    assert summary(done) == [
        "Stack local, against what is deployed: 3 changed.",
        "  Only labels and checksums of the chart: 9 objects",
        "  Restarts: DaemonSet monitoring-agents/node-exporter, Deployment monitoring/kube-state-metrics, "
        "StatefulSet monitoring/prometheus",
    ]
    assert done.returncode == 0


@pytest.mark.usefixtures("restored")
def test_a_job_is_replaced(project: Project) -> None:
    project.prepare("local", logs={"retentionDays": 3})
    done = preview(project)
    assert summary(done)[1].startswith("  Replaced: Job monitoring/log-index-")
    assert done.returncode == 3


@pytest.mark.usefixtures("restored")
def test_a_wrong_setting_is_no_preview(project: Project) -> None:
    project.prepare("local", prometheus={"replica": 2})
    done = preview(project)
    assert "prometheus.replica: unknown key" in done.stdout + done.stderr
    assert done.stderr.splitlines()[-1].startswith("preview: `pulumi preview` of stack local failed")
    assert done.returncode == 1
