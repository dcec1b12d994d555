"""The way of a log line: what Filebeat reads, how it gets to Logstash, and what the set-up Job is given."""

from pathlib import Path

import pytest

from components.elk import filebeat
from components.settings.logs import FilebeatSettings
from tests.program import Run, run

JOB, SECRET, CONFIG_MAP = "kubernetes:batch/v1:Job", "kubernetes:core/v1:Secret", "kubernetes:core/v1:ConfigMap"


@pytest.fixture(scope="module")
def prod(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run("prod", tmp_path_factory.mktemp("charts"))


def test_filebeat_reads_the_namespaces_and_files_of_the_settings() -> None:
    settings = FilebeatSettings(namespaces=["shop"], paths=["/var/log/mangakai/*.log"])
    containers, files = filebeat.render(settings, "logstash:5044", "manga-test")["filebeat.inputs"]
    assert containers["paths"] == ["/var/log/containers/*_manga-test_*.log", "/var/log/containers/*_shop_*.log"]
    assert files["paths"] == ["/var/log/mangakai/*.log"]
    assert files["processors"] == [{"add_fields": {"target": "service", "fields": {"name": "mangakai-backend"}}}]
    assert len({each["id"] for each in (containers, files)}) == 2


def test_the_folders_of_files_are_mounted_read_only(tmp_path: Path) -> None:
    paths = ["/var/log/mangakai/*.log", "/var/log/mangakai/worker/*.log"]
    stack = run("local", tmp_path, {"logs": {"filebeat": {"paths": paths}}})
    (release,) = (each for each in stack.resources if each.name == "filebeat" and "Release" in each.type)
    spec = release.inputs["values"]["daemonSet"]["podTemplate"]["spec"]
    (container,) = spec["containers"]
    mounts = {mount["mountPath"]: mount["readOnly"] for mount in container["volumeMounts"]}
    folders = {"/var/log/mangakai", "/var/log/mangakai/worker"}
    assert folders <= mounts.keys()
    assert all(mounts.values())
    assert {each["name"] for each in spec["volumes"]} == {each["name"] for each in container["volumeMounts"]}
    assert folders <= {each["hostPath"]["path"] for each in spec["volumes"] if "hostPath" in each}


def test_filebeat_and_logstash_have_each_its_certificate_and_mount_it(prod: Run) -> None:
    found = {each.name: each.inputs for each in prod.of_type(SECRET)}
    namespaces = {
        name: found[name]["metadata"]["namespace"] for name in ("filebeat-certificate", "logstash-certificate")
    }
    assert namespaces == {"filebeat-certificate": "monitoring-agents", "logstash-certificate": "monitoring"}


def test_the_job_is_another_one_only_when_its_work_changes(prod: Run, tmp_path: Path) -> None:
    def name(stack: Run) -> str:
        (job,) = stack.of_type(JOB)
        return str(job.inputs["metadata"]["name"])

    (job,) = prod.of_type(JOB)
    (files,) = (each for each in prod.of_type(CONFIG_MAP) if each.name == "log-index")
    assert "set_up.py" in files.inputs["data"]
    assert [each for each in files.inputs["data"] if each.endswith(".json")]
    assert [each for each in files.inputs["data"] if each.endswith(".ndjson")]
    assert sum(map(len, files.inputs["data"].values())) < 900_000
    (container,) = job.inputs["spec"]["template"]["spec"]["containers"]
    environment = {each["name"]: each.get("value") for each in container["env"]}
    assert (environment["RETENTION_DAYS"], environment["REPLICAS"]) == ("14", "1")
    assert environment["ELASTIC_PASSWORD"] is None
    (tmp_path / "same").mkdir()
    (tmp_path / "other").mkdir()
    assert name(run("prod", tmp_path / "same")) == name(prod)
    assert name(run("prod", tmp_path / "other", {"logs": {"retentionDays": 30}})) != name(prod)
