"""What a stack with backups must have on the cluster, from the ServiceAccounts to what Prometheus finds."""

from pathlib import Path
from typing import Any

from components.foundation.names import BACKUP_PARTS
from components.settings import Settings
from tests.sandbox.conftest import Api
from tests.sandbox.discovery import discover


def check(api: Api, settings: Settings, kubeconfig: Path, folder: Path) -> None:
    """Check a stack that is up; `folder` is for files."""
    for part in BACKUP_PARTS:
        account = api.get(f"/api/v1/namespaces/monitoring/serviceaccounts/{part}")
        role = account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
        assert role.endswith(f":role/{settings.cluster.name}-monitoring-{part}")
    pods = {pod["metadata"]["name"]: pod for pod in api.get("/api/v1/namespaces/monitoring/pods")["items"]}
    found = {target["pod"]: target["instance"] for target in discover(api, kubeconfig, folder, "backup")}
    (deployed,) = (name for name in found if name.startswith("backup-"))
    replicas = range(settings.prometheus.replicas)
    assert found.keys() == {*(f"prometheus-{number}" for number in replicas), "grafana-0", deployed}
    assert all(instance.endswith(":9112") for instance in found.values())
    for name, account_name in {deployed: "backup", "grafana-0": "grafana", "prometheus-0": "prometheus"}.items():
        spec = pods[name]["spec"]
        assert spec["serviceAccountName"] == account_name
        (container,) = (each for each in spec["containers"] if each["name"] == "backup")
        mounted = {each["name"] for each in container["volumeMounts"]}
        assert mounted <= {each["name"] for each in spec["volumes"]}
        assert any(each["name"] == "restic" for each in spec["initContainers"])
    for store in ("mangakai-logs", "mangakai-traces"):
        _may_write(pods[f"{store}-es-default-0"]["spec"], store, settings)
    jobs = api.get("/apis/batch/v1/namespaces/monitoring/jobs")["items"]
    (set_up,) = (job for job in jobs if job["metadata"]["name"].startswith("backup-set-up-"))
    assert set_up["status"]["succeeded"] == 1
    roles = api.secret("mangakai-logs-roles")["roles.yml"]
    assert "manage_slm" in roles


def _may_write(spec: dict[str, Any], store: str, settings: Settings) -> None:
    assert spec["serviceAccountName"] == store
    (container,) = (each for each in spec["containers"] if each["name"] == "elasticsearch")
    variables = {each["name"]: each.get("value") for each in container["env"]}
    assert variables["AWS_ROLE_ARN"].endswith(f":role/{settings.cluster.name}-monitoring-{store}")
    folder, _, file = variables["AWS_WEB_IDENTITY_TOKEN_FILE"].rpartition("/")
    (mount,) = (each for each in container["volumeMounts"] if each["mountPath"] == folder)
    (volume,) = (each for each in spec["volumes"] if each["name"] == mount["name"])
    (source,) = volume["projected"]["sources"]
    assert source["serviceAccountToken"]["path"] == file
    assert source["serviceAccountToken"]["audience"] == "sts.amazonaws.com"
