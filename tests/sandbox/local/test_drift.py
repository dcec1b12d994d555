"""`make drift` on the stack that is up: what somebody changed behind Pulumi's and Helm's back is found, and no more."""

import json
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.layout import CHECKOUT
from tests.sandbox.conftest import CANARIES, Api, Project

PAGE = (CHECKOUT / "docs" / "ci.md").read_text()


@dataclass(frozen=True)
class Said:
    """What the program said."""

    status: int
    text: str
    errors: str

    @property
    def drift(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Return what differs, by object and field."""
        return {(one["object"], one["field"]): one for one in json.loads(self.text)["drift"]}


def drift(project: Project, *arguments: str) -> Said:
    """Run the program on the stack `local`."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "operations.drift", "--stack", "local", *arguments],
        cwd=CHECKOUT,
        env=project.environment("local"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    print(f"\ndrift: status {done.returncode} in {time.monotonic() - began:.1f} s\n{done.stdout}{done.stderr}")
    return Said(done.returncode, done.stdout, done.stderr)


def mend(project: Project, folder: Path) -> None:
    """Do what docs/ci.md says, with a kubeconfig that may be changed."""
    variables = project.environment("local") | {"KUBECONFIG": str(folder / "kubeconfig")}
    shutil.copy(project.sandbox.kubeconfig, folder / "kubeconfig")
    update = "up --yes --skip-preview --non-interactive"
    for line in re.findall(r"^(?:helm|kubectl|\w+=true pulumi) .*$", PAGE, flags=re.MULTILINE):
        command = ["bash", "-euo", "pipefail", "-c", line.replace("pulumi up", f"pulumi {update}")]
        subprocess.run(command, cwd=project.folder, env=variables, check=True, timeout=120)


def test_nothing_drifts_by_itself(project: Project) -> None:
    said = drift(project)
    assert said.status == 0, said.text
    assert said.text.startswith("local: no drift in ")


def test_edits_behind_the_back_are_found_and_mended(project: Project, api: Api, tmp_path: Path) -> None:
    # A Release's object, one of ours, and a secret; by a name of their own, as `kubectl edit` has one.
    api.apps.patch_namespaced_stateful_set(
        "prometheus", "monitoring", {"spec": {"replicas": 7}}, field_manager="kubectl-edit"
    )
    file, text = next(item for item in api.config_map("prometheus-rules").items() if "severity: critical" in item[1])
    edited = {file: text.replace("severity: critical", "severity: none", 1), "of-mine.yml": "groups: []\n"}
    api.core.patch_namespaced_config_map("prometheus-rules", "monitoring", {"data": edited})
    api.core.patch_namespaced_secret("grafana-admin", "monitoring", {"stringData": {"admin-password": "guess-me"}})

    said = drift(project, "--json")
    assert said.status == 3, said.errors
    found = said.drift
    assert found.keys() == {
        ("StatefulSet monitoring/prometheus", "spec.replicas"),
        ("ConfigMap monitoring/prometheus-rules", f"data.{file}"),
        ("ConfigMap monitoring/prometheus-rules", "data.of-mine.yml"),
        ("Secret monitoring/grafana-admin", "data.admin-password"),
    }
    replicas = found["StatefulSet monitoring/prometheus", "spec.replicas"]
    assert (replicas["owner"], replicas["live"], replicas["by"]) == ("Release prometheus", 7, "kubectl-edit")
    assert found["ConfigMap monitoring/prometheus-rules", f"data.{file}"]["owner"] == "Pulumi"
    assert found["ConfigMap monitoring/prometheus-rules", "data.of-mine.yml"]["expected"] is None

    said = drift(project)
    assert said.status == 3
    assert "StatefulSet monitoring/prometheus (Release prometheus)\n  spec.replicas, by kubectl-edit at " in said.text
    assert "+ 7\n" in said.text
    assert [secret for secret in (*CANARIES.values(), "guess-me") if secret in said.text] == []

    mend(project, tmp_path)
    said = drift(project)
    assert (said.status, api.config_map("prometheus-rules")[file]) == (0, text)


def test_an_object_that_is_gone_is_found(project: Project, api: Api) -> None:
    api.core.delete_namespaced_config_map("prometheus-rules", "monitoring")
    assert drift(project, "--json").drift.keys() == {("ConfigMap monitoring/prometheus-rules", "")}
    refreshed = project.pulumi("local", "refresh", "--preview-only", "--expect-no-changes")
    assert refreshed.returncode != 0, "the workflow takes this for no drift"
    project.pulumi("local", "up", "--yes", "--skip-preview", "--refresh")
    assert drift(project).status == 0


def test_a_release_that_is_gone_is_found(project: Project, api: Api) -> None:
    (record,) = api.get("/api/v1/namespaces/monitoring/secrets?labelSelector=owner%3Dhelm,name%3Dgrafana")["items"]
    api.core.delete_namespaced_secret(record["metadata"]["name"], "monitoring")
    try:
        said = drift(project)
    finally:
        for field in ("resourceVersion", "uid", "managedFields"):
            record["metadata"].pop(field)
        api.core.create_namespaced_secret("monitoring", record)
    assert said.status == 3
    assert "Release monitoring/grafana (Pulumi)\n- the release\n" in said.text


def test_a_stack_that_is_not_there_is_an_error(project: Project) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "operations.drift", "--stack", "local"],
        cwd=CHECKOUT,
        env=project.environment("local") | {"PULUMI_BACKEND_URL": f"file://{project.folder}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("drift: `pulumi stack export --show-secrets --stack local` failed: ")
    assert "Traceback" not in done.stderr
