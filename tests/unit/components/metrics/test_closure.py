"""Every metric and label that a rule, a dashboard or a runbook uses is exposed by a job that Prometheus scrapes."""

import json

import pytest

from components.grafana.grafana import dashboards
from components.metrics.rule_files import RULES
from sandbox.program_pins import ALERTMANAGER, PROMETHEUS
from tests.catalogue.catalogue import CATALOGUE, ClosureError, exported, scraped, target_labels
from tests.catalogue.queries import Query, of_dashboard, of_rules, of_runbook, problems, reached_by
from tests.offline import ROOT

FILES = {path.name: path.read_text() for path in sorted(RULES.glob("*.yml"))}


@pytest.fixture(scope="module")
def queries() -> list[Query]:
    rules = [query for file, text in FILES.items() for query in of_rules(file, text)]
    panels = [query for file, text in dashboards().items() for query in of_dashboard(file, json.loads(text))]
    runbooks = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
    return rules + panels + [query for path in runbooks for query in of_runbook(path.name, path.read_text())]


def test_every_scraped_job_is_in_the_catalogue_and_no_other() -> None:
    assert set(CATALOGUE["jobs"]) == set(scraped())
    for job, entry in CATALOGUE["jobs"].items():
        assert entry["project"], job
        assert entry["version"], job
        assert entry["files"], job


def test_the_catalogue_was_read_at_the_versions_that_run() -> None:
    assert CATALOGUE["jobs"]["prometheus"]["version"] == CATALOGUE["written"]["version"] == PROMETHEUS.version
    assert CATALOGUE["jobs"]["alertmanager"]["version"] == ALERTMANAGER.version


def test_every_query_asks_for_what_is_scraped(queries: list[Query]) -> None:
    assert problems(queries) == []
    metrics = {name for _, name in reached_by(queries)}
    print(f"\n{len(queries)} queries use {len(metrics)} metrics of {len(scraped())} jobs")


def test_nothing_in_the_catalogue_is_unused(queries: list[Query]) -> None:
    used = reached_by(queries)
    assert set(exported()) - used == set()
    everywhere = CATALOGUE["written"]["of_targets"]
    assert {job for job, name in used if name not in everywhere} >= set(scraped()), "nobody looks at a scraped job"


def test_no_label_of_a_metric_is_hidden_by_its_target() -> None:
    for job, entry in CATALOGUE["jobs"].items():
        if not scraped()[job].get("honor_labels"):
            hidden = {name: target_labels(job) & set(labels) for name, labels in entry["metrics"].items()}
            assert not any(hidden.values()), f"{job}: Prometheus calls them exported_…: {hidden}"


@pytest.mark.parametrize(
    ("file", "found", "broken", "problem"),
    [
        ("redis.yml", "redis_up", "redis_is_up", "redis_is_up: not exposed by redis"),
        ("redis.yml", 'job="redis"', 'job="cache"', "there is no job cache"),
        ("redis.yml", 'redis_up{job="redis"}', 'redis_up{job="postgres"}', "redis_up: not exposed by postgres"),
        ("monitoring.yml", "mangakai-backend|nginx", "mangakai-backend|apache", "there is no job apache"),
        ("monitoring.yml", "alertmanager_config_last_reload_successful", "alertmanager_reload", "there is no __name__"),
        ("celery.yml", 'status="FAILURE"', 'state="FAILURE"', "celery_task_total: has no label state"),
        ("celery.yml", "max by (queue)", "max by (queue_name)", "there is no label queue_name"),
        ("celery.yml", "sum by (task_name) (increase", "sum by (status) (increase", "matches no"),
        ("monitoring.yml", "on (namespace)", "on (cluster)", "there is no label cluster"),
        ("application.yml", "sum by (le)", "sum by (method)", "there is no label le"),
        ("nodes.yml", "{{ $labels.mountpoint }}", "{{ $labels.mount }}", "shows mount"),
        ("nodes.yml", "by (node, mountpoint)", "by (pod, mountpoint)", "shows node"),
        ("kubernetes.yml", ") >= 1\n", ")) >= 1\n", "unexpected"),
    ],
)
def test_a_broken_rule_is_noticed(file: str, found: str, broken: str, problem: str) -> None:
    assert found in FILES[file]
    noticed = problems(of_rules(file, FILES[file].replace(found, broken)))
    assert any(problem in text for text in noticed), noticed


@pytest.mark.parametrize(
    "expr",
    [
        # The CPU's rate has a label `cpu`, the limit has none (D-031).
        'rate(container_cpu_usage_seconds_total{container!=""}[5m]) / kube_pod_container_resource_limits',
        # One has a label `datname`, the other `server` (D-035).
        "pg_stat_database_numbackends / pg_settings_max_connections",
    ],
)
def test_sides_that_never_match_are_noticed(expr: str) -> None:
    assert "matches no" in problems([Query("the guide", expr, frozenset())])[0]


@pytest.mark.parametrize(
    ("found", "broken", "problem"),
    [
        ("celery_queue_length", "celery_queue_size", "celery_queue_size: not exposed"),
        ("by (queue)", "by (queues)", "there is no label queues"),
        ("{{queue}}", "{{queue_name}}", "shows queue_name"),
        ("label_values(kube_pod_info", "label_values(kube_pods", "kube_pods: not exposed"),
    ],
)
def test_a_broken_dashboard_is_noticed(found: str, broken: str, problem: str) -> None:
    text = dashboards()["application-performance.json"]
    assert found in text
    noticed = problems(of_dashboard("broken", json.loads(text.replace(found, broken))))
    assert any(problem in text for text in noticed), noticed


def test_a_variable_that_a_dashboard_has_not_is_noticed() -> None:
    text = dashboards()["application-performance.json"].replace('pod=~\\"$pod\\"', 'pod=~\\"$pods\\"')
    with pytest.raises(ClosureError, match="there is no variable pods"):
        of_dashboard("broken", json.loads(text))


def test_a_broken_runbook_is_noticed() -> None:
    text = (ROOT / "docs" / "runbooks" / "redis-down.md").read_text()
    assert "redis_up" in text
    assert problems(of_runbook("redis-down.md", text)) == []
    noticed = problems(of_runbook("redis-down.md", text.replace("redis_up", "redis_is_up")))
    assert any("redis_is_up: not exposed by redis" in problem for problem in noticed), noticed
