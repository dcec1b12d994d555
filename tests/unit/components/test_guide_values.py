"""The guide's values, word for word, in what the pods of production read: where no other test holds them."""

import json
import re
import socket
import socketserver
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.application import environment as application
from components.logs import filebeat
from components.metrics.rule_files import steps, threshold
from components.settings.application import ApplicationSettings
from components.settings.logs import FilebeatSettings, LogsSettings
from components.settings.traces import TracesSettings
from mangakai_instrumentation import errors, metrics
from mangakai_instrumentation.scrubbing import scrub_event
from operations import render
from tests.offline import ROOT, run

FILES = render.stack_files("prod")
GUIDE = yaml.safe_load((ROOT / "tests" / "rules" / "guide_rules.yml").read_text())["groups"][0]["rules"]
PROMETHEUS = yaml.safe_load(FILES["prometheus.yml"])
ALERTMANAGER = yaml.safe_load(FILES["alertmanager.yml"])
# The guide's 30s would be too late to tell an outage within three minutes.
QUICK = {"mangakai-backend": "15s"}
# D-041: no seventeen digits; D-024: an estimate.
READABLE = {
    "HighResponseTime": "95th percentile response time is {{ $value | humanizeDuration }}",
    "LowMangaGenerationRate": "Manga generation rate is {{ $value | humanize }} per hour",
}


def job(name: str) -> dict[str, Any]:
    (found,) = yaml.safe_load(FILES[f"scrape_configs/{name}.yml"])["scrape_configs"]
    return dict(found)


@pytest.mark.requirement("S-009", "S-010", "S-011", "S-012", "S-013")
def test_prometheus_globals() -> None:
    assert (PROMETHEUS["global"]["scrape_interval"], PROMETHEUS["global"]["evaluation_interval"]) == ("15s", "15s")
    labels = PROMETHEUS["global"]["external_labels"]
    assert (labels["cluster"], labels["region"]) == ("mangakai-prod", "ap-southeast-1")
    assert PROMETHEUS["rule_files"] == ["/etc/prometheus/rules/*.yml"]


@pytest.mark.requirement("S-014")
def test_alerts_go_to_every_alertmanager() -> None:
    (alertmanagers,) = PROMETHEUS["alerting"]["alertmanagers"]
    for discovery in alertmanagers["dns_sd_configs"]:
        assert (discovery["names"], discovery["port"]) == (["alertmanager-headless.monitoring.svc"], 9093)
    assert [discovery["type"] for discovery in alertmanagers["dns_sd_configs"]] == ["A", "AAAA"]


@pytest.mark.requirement("S-015", "S-016")
@pytest.mark.parametrize("name", ["kubernetes-apiservers", "kubernetes-nodes"])
def test_kubernetes_is_scraped_with_the_service_account(name: str) -> None:
    account = "/var/run/secrets/kubernetes.io/serviceaccount"
    assert job(name)["scheme"] == "https"
    assert job(name)["tls_config"]["ca_file"] == f"{account}/ca.crt"
    assert job(name)["authorization"] == {"credentials_file": f"{account}/token"}


@pytest.mark.requirement("S-018", "S-019", "S-020", "S-021")
@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("mangakai-backend", "mangakai-backend-service;metrics"),
        ("redis", "mangakai-redis-service;9121"),
        ("postgres", "postgres-exporter;9187"),
        ("nginx", "mangakai-nginx-service;9113"),
    ],
)
def test_services_of_the_application(name: str, service: str) -> None:
    assert job(name)["scrape_interval"] == QUICK.get(name, "30s")
    assert job(name)["relabel_configs"][0]["regex"] == service
    (discovery,) = job(name)["kubernetes_sd_configs"]
    assert discovery["namespaces"]["names"] == ["mangakai-prod"]


@pytest.mark.requirement(
    "S-025", "S-026", "S-027", "S-028", "S-029", "S-030", "S-031", "S-032", "S-033", "S-034", "S-035", "S-036", "S-037",
    "S-038",
)  # fmt: skip
@pytest.mark.parametrize("guide", GUIDE, ids=lambda rule: str(rule["alert"]))
def test_an_alert_has_the_guides_words_and_numbers(guide: dict[str, Any]) -> None:
    alert, labels = guide["alert"], guide["labels"]
    ours = steps()[alert][labels["severity"]]
    assert (ours["for"], ours["labels"]) == (guide["for"], labels)
    asked = guide["annotations"] | ({"description": READABLE[alert]} if alert in READABLE else {})
    assert ours["annotations"].items() >= asked.items()
    compared = re.search(r"[<>] (\d+(?:\.\d+)?)\s*$", guide["expr"])
    if number := threshold(ours):
        assert compared
        assert number == float(compared[1])


@pytest.mark.requirement("S-024")
def test_the_guides_alerts_are_evaluated_at_least_as_often() -> None:
    groups = [
        group for name, text in FILES.items() if name.startswith("rules/") for group in yaml.safe_load(text)["groups"]
    ]
    guides = {rule["alert"] for rule in GUIDE}
    intervals = {
        rule["alert"]: group["interval"] for group in groups for rule in group["rules"] if rule["alert"] in guides
    }
    assert len(intervals) == len(guides) == 14
    assert set(intervals.values()) == {"15s", "30s"}


@pytest.mark.requirement("S-040", "S-041", "S-042", "S-043")
def test_the_mail_relay() -> None:
    told = ALERTMANAGER["global"]
    assert told["smtp_smarthost"] == "smtp.gmail.com:587"
    assert told["smtp_from"] == told["smtp_auth_username"] == "alerts@mangakai.com"
    assert told["smtp_auth_password_file"] == "/etc/alertmanager-secrets/smtp-auth-password"
    assert "smtp_auth_password" not in told


@pytest.mark.requirement("S-044", "S-045", "S-046")
def test_the_routes() -> None:
    route = ALERTMANAGER["route"]
    assert route["group_by"] == ["alertname", "cluster", "service"]
    assert (route["group_wait"], route["group_interval"], route["repeat_interval"]) == ("10s", "5m", "1h")
    assert route["receiver"] == "default"
    by_receiver = {each["receiver"]: each for each in route["routes"]}
    critical, warning = by_receiver["critical-alerts"], by_receiver["warning-alerts"]
    assert (critical["matchers"], warning["matchers"]) == (['severity="critical"'], ['severity="warning"'])
    assert (critical["group_wait"], critical["repeat_interval"]) == ("10s", "30m")
    assert warning["repeat_interval"] == "2h"


@pytest.mark.requirement("S-047", "S-048")
@pytest.mark.parametrize("receiver", ["default", "critical"])
def test_a_mail_shows_the_labels(receiver: str) -> None:
    (text,) = re.findall(
        rf'define "mangakai\.{receiver}\.text" -}}}}(.*?)\n{{{{- end', FILES["templates/mangakai.tmpl"], re.S
    )
    assert "Labels: {{ range .Labels.SortedPairs }}{{ .Name }}={{ .Value }} {{ end }}" in text


@pytest.mark.requirement("S-051")
def test_a_critical_alert_inhibits_the_warning() -> None:
    rule = ALERTMANAGER["inhibit_rules"][0]
    assert (rule["source_matchers"], rule["target_matchers"]) == (['severity="critical"'], ['severity="warning"'])
    assert {"alertname", "cluster", "service"} <= set(rule["equal"])


@pytest.mark.requirement("S-068")
def test_the_heap_of_the_logs_is_two_gigabytes() -> None:
    limits = LogsSettings().elasticsearch.resources.limits
    assert limits
    assert limits.memory == "4Gi", "of which Elasticsearch takes half"


@pytest.mark.requirement("S-078", "S-079", "S-081")
def test_filebeat() -> None:
    told = filebeat.render(FilebeatSettings(paths=["/var/log/mangakai/*.log"]), "logstash:5044", "mangakai-prod")
    containers, files = told["filebeat.inputs"]
    assert told["processors"] == [{"add_host_metadata": {"when.not.contains.tags": "forwarded"}}]
    metadata = containers["processors"][0]["add_kubernetes_metadata"]
    assert metadata["host"] == "${NODE_NAME}"
    assert metadata["matchers"] == [{"logs_path": {"logs_path": "/var/log/containers/"}}]
    assert "docker" not in json.dumps(told)
    (parser,) = files["parsers"]
    # D-101: the guide names what starts an event, and would glue all other programs' lines together.
    assert (parser["multiline"]["negate"], parser["multiline"]["match"]) == (False, "after")
    assert not re.search(parser["multiline"]["pattern"], "2026-01-31 10:00:00,123 INFO a b")


@pytest.mark.requirement("S-085", "S-086", "S-089", "S-090")
def test_jaeger() -> None:
    spec = yaml.safe_load(FILES["jaeger.yml"])["spec"]
    assert (spec["strategy"], spec["storage"]["type"]) == ("production", "elasticsearch")
    traces = TracesSettings()
    assert (traces.collector.replicas, traces.query.replicas) == (2, 2)
    assert traces.collector.resources.manifest() == {
        "requests": {"cpu": "500m", "memory": "512Mi"},
        "limits": {"cpu": "1", "memory": "1Gi"},
    }
    assert traces.query.resources.manifest() == {
        "requests": {"cpu": "250m", "memory": "256Mi"},
        "limits": {"cpu": "500m", "memory": "512Mi"},
    }


@pytest.mark.requirement("S-092", "S-096")
def test_the_application_is_told_the_guides_names() -> None:
    told = application.environment(ApplicationSettings(), "mangakai-prod", "http://collector:4318")
    assert told["OTEL_SERVICE_NAME"] == "mangakai-backend"
    assert told["SENTRY_ENVIRONMENT"] == "production"
    assert told["SENTRY_RELEASE"] == "mangakai@1.0.0"
    assert told["SENTRY_TRACES_SAMPLE_RATE"] == "0.1"


def test_the_application_sends_the_collector_traces_alone() -> None:
    told = application.environment(ApplicationSettings(), "mangakai-prod", "http://collector:4318")
    assert (told["OTEL_METRICS_EXPORTER"], told["OTEL_LOGS_EXPORTER"]) == ("none", "none")
    assert "OTEL_TRACES_EXPORTER" not in told
    assert float(told["SLOW_REQUEST_SECONDS"]) == 2


@pytest.mark.requirement("S-096")
def test_sentry_has_the_guides_integrations(monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, Any] = {}
    monkeypatch.setattr("sentry_sdk.init", lambda **options: told.update(options))
    monkeypatch.setenv("SENTRY_DSN", "https://key@sentry.example.com/1")
    monkeypatch.delenv("SENTRY_TRACES_SAMPLE_RATE", raising=False)
    assert errors.set_up()
    integrations = {type(each).__name__ for each in told["integrations"]}
    assert integrations >= {"FastApiIntegration", "SqlalchemyIntegration", "RedisIntegration", "CeleryIntegration"}
    assert told["before_send"] is scrub_event


@pytest.mark.requirement("S-109")
def test_metrics_are_shown_on_port_8001(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def refuse(host: str, port: int, *_: object) -> None:
        asked.append((host, port))
        raise OSError("no server is needed here")

    monkeypatch.delenv("METRICS_ADDRESS", raising=False)
    monkeypatch.setattr(metrics, "make_server", refuse)
    metrics.serve()
    assert asked == [("0.0.0.0", 8001)]  # noqa: S104


def test_metrics_are_shown_on_an_ipv6_address(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int, socket.AddressFamily]] = []

    def refuse(host: str, port: int, _app: object, server: type[socketserver.TCPServer], _handler: object) -> None:
        asked.append((host, port, socket.AddressFamily(server.address_family)))
        raise OSError("no server is needed here")

    monkeypatch.setattr(metrics, "make_server", refuse)
    for address in ("[::]:8001", "127.0.0.1:8002"):
        monkeypatch.setenv("METRICS_ADDRESS", address)
        metrics.serve()
    assert asked == [("::", 8001, socket.AF_INET6), ("127.0.0.1", 8002, socket.AF_INET)]


@pytest.mark.requirement("S-124")
def test_the_urls_have_the_guides_ports(tmp_path: Path) -> None:
    urls = {part: run("local", tmp_path).outputs[f"{part}Url"] for part in ("prometheus", "grafana", "alertmanager")}
    assert urls == {
        "prometheus": "http://prometheus-external.example.com:9090",
        "grafana": "http://grafana-external.example.com:3000",
        "alertmanager": "http://alertmanager-external.example.com:9093",
    }
