"""The way of a log line: what Filebeat reads, how it gets to Logstash, and what the set-up Job is given."""

import json
import re
from pathlib import Path

import pytest
import yaml

from components.logs import filebeat, logstash
from components.metrics.notifications import APPLICATION_ERROR, render
from components.settings.logs import FilebeatSettings
from components.settings.metrics import AlertmanagerSettings
from components.settings.types import to_bytes
from tests.catalogue.saved_objects import FIELDS, ITEMS
from tests.offline import Run, run

JOB, SECRET, CONFIG_MAP = "kubernetes:batch/v1:Job", "kubernetes:core/v1:Secret", "kubernetes:core/v1:ConfigMap"


@pytest.fixture(scope="module")
def prod(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run("prod", tmp_path_factory.mktemp("charts"))


@pytest.mark.requirement("S-078", "S-079")
def test_filebeat_reads_the_namespaces_and_files_of_the_settings() -> None:
    settings = FilebeatSettings(namespaces=["shop"], paths=["/var/log/mangakai/*.log"])
    containers, files = filebeat.render(settings, "logstash:5044", "manga-test")["filebeat.inputs"]
    names = ["*_manga-test_*.log", "*_shop_*.log", "kubernetes-events-*_monitoring_kubernetes-events-*.log"]
    assert containers["paths"] == [f"/var/log/containers/{name}" for name in names]
    assert files["paths"] == ["/var/log/mangakai/*.log"]
    assert files["processors"] == [{"add_fields": {"target": "service", "fields": {"name": "mangakai-backend"}}}]
    assert len({each["id"] for each in (containers, files)}) == 2


def test_new_replicas_of_logstash_get_connections_too() -> None:
    output = filebeat.render(FilebeatSettings(), "logstash:5044", "manga-test")["output.logstash"]
    assert (output["ttl"], output["pipelining"]) == ("60s", 0), "Filebeat ends no connection that is pipelined"


def test_what_waits_in_filebeat_fits_its_memory() -> None:
    told = filebeat.render(FilebeatSettings(), "logstash:5044", "manga-test")
    largest = max(each["message_max_bytes"] for each in told["filebeat.inputs"])
    limit = to_bytes(FilebeatSettings().resources.manifest()["limits"]["memory"])
    assert told["queue.mem"]["events"] * largest <= limit / 2


def test_the_folders_of_files_are_mounted_read_only(tmp_path: Path) -> None:
    paths = ["/var/log/mangakai/*.log", "/var/log/mangakai/worker/*.log", "/srv/logs/*/app.log", "/data/[a-c]?.log"]
    stack = run("local", tmp_path, {"logs": {"filebeat": {"paths": paths}}})
    (release,) = (each for each in stack.resources if each.name == "filebeat" and "Release" in each.type)
    spec = release.inputs["values"]["daemonSet"]["podTemplate"]["spec"]
    (container,) = spec["containers"]
    mounts = {mount["mountPath"]: mount.get("readOnly", False) for mount in container["volumeMounts"]}
    folders = {"/var/log/mangakai", "/var/log/mangakai/worker", "/srv/logs", "/data"}
    assert folders <= mounts.keys()
    assert not [path for path in mounts if path == "/" or set(path) & set("*?[")]
    assert [path for path, read_only in mounts.items() if not read_only] == ["/usr/share/filebeat/logs"]
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
        (job,) = (each for each in stack.of_type(JOB) if each.name == "log-index")
        return str(job.inputs["metadata"]["name"])

    (job,) = (each for each in prod.of_type(JOB) if each.name == "log-index")
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


def test_grafana_reads_the_fields_of_the_index_and_leads_to_the_trace(prod: Run) -> None:
    (config,) = (each for each in prod.of_type(CONFIG_MAP) if each.name == "grafana-datasources")
    sources = {each["uid"]: each for each in json.loads(config.inputs["data"]["datasources.yaml"])["datasources"]}
    logs = sources["elasticsearch"]["jsonData"]
    view = next(item["attributes"] for item in ITEMS if item["type"] == "index-pattern")
    assert (logs["index"], logs["timeField"]) == (view["title"], view["timeFieldName"])
    assert {logs["timeField"], logs["logMessageField"], logs["logLevelField"]} <= FIELDS.keys()
    (link,) = logs["dataLinks"]
    assert link["field"] in FIELDS
    assert sources[link["datasourceUid"]]["type"] == "jaeger"


@pytest.mark.parametrize(("storage", "queue", "refused"), [("1Gi", 614, 204), ("5Gi", 3072, 1024)])
def test_the_queues_of_logstash_fit_its_volume(storage: str, queue: int, refused: int) -> None:
    main, errors = yaml.safe_load(logstash.pipelines_yml(storage))
    sizes = [main["queue.max_bytes"], main["dead_letter_queue.max_bytes"], errors["queue.max_bytes"]]
    assert sizes == [f"{queue}mb", f"{refused}mb", "128mb"]
    assert queue + refused + 128 < int(storage[0]) * 1024
    assert [each["pipeline.id"] for each in (main, errors)] == ["main", "errors"]
    assert {each["queue.type"] for each in (main, errors)} == {"persisted"}


def test_the_pipeline_of_errors_cannot_hold_up_the_other() -> None:
    texts = logstash.pipelines()
    assert re.search(r'send_to => \["errors"\]\s+ensure_delivery => false', texts["main.conf"])
    assert 'address => "errors"' in texts["errors.conf"]
    seconds = dict(re.findall(r"(\w+_timeout) => (\d+)", texts["errors.conf"]))
    assert seconds == {"connect_timeout": "2", "socket_timeout": "5", "request_timeout": "5"}
    assert "retry_failed => false" in texts["errors.conf"]
    assert "automatic_retries => 0" in texts["errors.conf"]


def test_an_error_goes_to_the_route_that_mails_once_in_fifteen_minutes() -> None:
    assert f'"alertname" => "{APPLICATION_ERROR}"' in logstash.pipelines()["errors.conf"]
    first, *_ = yaml.safe_load(render(AlertmanagerSettings()))["route"]["routes"]
    assert first["matchers"] == [f'alertname="{APPLICATION_ERROR}"']
    assert first["group_interval"] == "15m"
