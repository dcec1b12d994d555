"""`make backup` and `make restore`, as an operator runs them; a stand-in plays the API server."""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from backup_agent.blocks import read
from tests.backup_agent.api_server import ApiServer, pod
from tests.backup_agent.conftest import Prometheus
from tests.backup_agent.test_prometheus import BEGIN, HOURS
from tests.offline import ROOT

PORT = 29344
CONTEXT = "operators"


@dataclass
class Operator:
    """Somebody with a checkout and a login."""

    folder: Path
    server: ApiServer

    def run(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        stack_file = self.folder / "Pulumi.test.yaml"
        cluster = {"name": "test", "region": "eu-west-1", "context": CONTEXT, "server": self.server.url}
        stack_file.write_text(json.dumps({"config": {"mangakai-monitoring:cluster": cluster}}))
        return subprocess.run(
            [sys.executable, "-m", f"operations.backups.{program}", "--stack", "test", *arguments],
            cwd=ROOT,
            env={
                "PATH": "/usr/bin:/bin",
                "PYTHONWARNINGS": "ignore",  # of a certificate that nobody checks
                "KUBECONFIG": str(self.server.kubeconfig(self.folder, CONTEXT)),
                "PULUMI_OPTION_CONFIG_FILE": str(stack_file),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture
def database(tmp_path: Path) -> Path:
    file = tmp_path / "grafana.db"
    with closing(sqlite3.connect(file)) as grafana:
        grafana.execute("CREATE TABLE user (login TEXT)")
    return file


@pytest.fixture
def operator(tmp_path: Path, prometheus: Prometheus, environment: dict[str, str], database: Path) -> Iterator[Operator]:
    """An operator of a stack with two Prometheus, Grafana, and without the Deployment, until it is added."""
    prometheus.fill(BEGIN, HOURS)
    environments = {
        f"prometheus-{number}": {
            **environment,
            "POD_NAME": f"prometheus-{number}",
            "PROMETHEUS_DATA": str(prometheus.data),
        }
        for number in (0, 1)
    }
    environments["grafana-0"] = {**environment, "GRAFANA_DATABASE": str(database)}
    environments["backup-a"] = environment
    pods = [*(pod(f"prometheus-{number}", "prometheus") for number in (0, 1)), pod("grafana-0", "grafana")]
    server = ApiServer(PORT, pods, environments)
    with server.running(tmp_path):
        yield Operator(tmp_path, server)


@pytest.mark.usefixtures("storage")
@pytest.mark.requirement("S-125", "S-129")
def test_what_an_operator_saves_an_operator_restores(operator: Operator, prometheus: Prometheus) -> None:
    operator.server.pods.append(pod("backup-a", "backup"))
    saved = operator.run("backup", "--json")
    # There is no Alertmanager and no Elasticsearch here: that is said, and the rest is saved.
    assert saved.returncode == 3, saved.stderr
    manifest = json.loads(saved.stdout)
    print(json.dumps(manifest, indent=2)[:1500])
    results = {(result["part"], result["pod"]): result for result in manifest["parts"]}
    good = {
        ("prometheus", "prometheus-0"),
        ("prometheus", "prometheus-1"),
        ("grafana", "grafana-0"),
        ("manifest", "backup-a"),
    }
    assert {key for key, result in results.items() if "snapshot" in result} == good
    assert "not set in the environment: ALERTMANAGER_URL" in results["alertmanager", "backup-a"]["error"]
    assert (manifest["stack"], manifest["cluster"], manifest["namespace"]) == ("test", "test", "monitoring")
    assert manifest["images"] == ["registry.example.com/backup:1", "registry.example.com/main:1"]
    assert "saving prometheus (prometheus-1)" in saved.stderr
    count = len(read(prometheus.data))
    for block in read(prometheus.data):
        shutil.rmtree(block.folder)
    restored = operator.run("restore", "--part", "prometheus")
    assert restored.returncode == 0, restored.stderr
    assert restored.stdout.count("restored block") == count
    assert restored.stdout.count("were there") == 2
    assert len(read(prometheus.data)) == count


@pytest.mark.usefixtures("storage")
@pytest.mark.requirement("S-129")
def test_the_manifest_is_saved_with_the_rest(operator: Operator, environment: dict[str, str]) -> None:
    operator.server.pods.append(pod("backup-a", "backup"))
    assert operator.run("backup").returncode == 3
    shown = subprocess.run(
        [sys.executable, "-m", "backup", "restore", "manifest"],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    text = shown.stdout.partition("\n")[2]
    assert json.loads(text)["cluster"] == "test"
    assert environment["RESTIC_PASSWORD"] not in text


@pytest.mark.usefixtures("storage")
def test_live_data_is_overwritten_only_when_told(operator: Operator, database: Path) -> None:
    operator.run("backup")
    with closing(sqlite3.connect(database)) as grafana, grafana:
        grafana.execute("INSERT INTO user VALUES ('new')")
    refused = operator.run("restore", "--part", "grafana")
    assert refused.returncode == 1
    assert "told to overwrite, it becomes what was saved" in refused.stderr
    assert operator.run("restore", "--part", "grafana", "--overwrite").returncode == 0
    with closing(sqlite3.connect(database)) as grafana:
        assert grafana.execute("SELECT count(*) FROM user").fetchone() == (0,)


@pytest.mark.usefixtures("storage")
def test_what_there_is_is_listed_and_what_cannot_be_is_told(operator: Operator) -> None:
    operator.run("backup")
    listed = operator.run("restore")
    assert listed.returncode == 1
    for pod_name in ("prometheus-0", "prometheus-1"):
        assert f"prometheus ({pod_name}): 1 backups\n" in listed.stdout
    assert "grafana (grafana-0): 1 backups\n" in listed.stdout
    assert "  - alertmanager: nothing makes backups of alertmanager" in listed.stderr
    wanted = operator.run("restore", "--part", "prometheus", "--snapshot", "2001-01-01")
    assert wanted.returncode == 1
    assert "there is no backup '2001-01-01'" in wanted.stderr


def test_a_stack_without_backups_is_told_so(operator: Operator) -> None:
    operator.server.pods[:] = [pod("prometheus-0", "prometheus", containers=("prometheus-server",))]
    done = operator.run("restore", "--part", "prometheus")
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "restore: nothing makes backups of prometheus: they need the settings aws, and pulumi up"
    )
    operator.server.pods[:] = [pod("prometheus-0", "prometheus", phase="Pending")]
    done = operator.run("restore", "--part", "prometheus")
    assert "no pod that saves prometheus runs" in done.stderr


def test_a_cluster_that_is_not_there_is_one_clear_error(operator: Operator) -> None:
    operator.server.url = "https://127.0.0.1:29345"
    done = operator.run("restore", "--part", "prometheus")
    assert done.returncode == 1
    assert done.stderr.startswith("restore: the cluster cannot be asked:")
    assert "Traceback" not in done.stderr
