"""`make troubleshoot`: what each check makes of what the API server says, and how it is shown."""

import base64
import json
import re
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from components.settings.foundation import DomainSettings, ExposureSettings
from operations.troubleshoot import (
    certificates,
    events,
    monitoring,
    network,
    operators,
    releases,
    table,
    volumes,
    workloads,
)
from operations.troubleshoot.finding import Finding, Severity, exit_status, scrub
from operations.troubleshoot.runner import Check, run
from tests.offline import ROOT
from tests.unit.operations.kubernetes_objects import NOW, ago, container, pod, thing

RUNBOOKS = ROOT / "docs" / "runbooks"


def of_pod(item: dict[str, Any]) -> list[Finding]:
    return list(workloads.pods([item], NOW))


HEALTHY_PODS = {
    "it is ready": pod(),
    "its Job is done": pod("Succeeded", ready=False),
    "its Job failed, which the Job says": {
        **pod("Failed", ready=False),
        "metadata": thing("x")["metadata"] | {"ownerReferences": [{"kind": "Job", "name": "x"}]},
    },
    "it is rolled out": pod(
        "Pending",
        ready=False,
        age_minutes=1.5,
        containerStatuses=[container({"waiting": {"reason": "ContainerCreating"}})],
    ),
    "it was restarted yesterday": pod(
        containerStatuses=[container({"running": {}}, 1, {"exitCode": 1, "finishedAt": ago(days=1)})]
    ),
    "its init container is done": pod(initContainerStatuses=[container({"terminated": {"exitCode": 0}})]),
    "it is being removed": thing(
        "x", metadata={"deletionTimestamp": ago(minutes=1)}, status={"phase": "Running", "conditions": []}
    ),
}


@pytest.mark.parametrize("item", HEALTHY_PODS.values(), ids=HEALTHY_PODS.keys())
def test_nothing_is_said_of_a_pod_when(item: dict[str, Any]) -> None:
    assert of_pod(item) == []


@pytest.mark.requirement("S-131", "S-136")
def test_a_crash_loop_is_told_though_its_phase_is_running() -> None:
    died = {"exitCode": 1, "reason": "Error", "finishedAt": ago(minutes=1)}
    crashing = container({"waiting": {"reason": "CrashLoopBackOff"}}, 7, died)
    item = pod(ready=False, age_minutes=30, containerStatuses=[crashing])
    (found,) = of_pod(item)
    assert (found.severity, found.subject) == (Severity.CRITICAL, "pod mangakai-prod/backend-1")
    assert found.what == "container web crashes: Error, exit code 1, restarts: 7"
    assert found.since == NOW - timedelta(minutes=30)
    assert found.next_step == "kubectl -n mangakai-prod logs backend-1 -c web --tail=100 --previous"
    assert found.runbook == "pod-crash-looping"
    assert workloads.crashed([item] * 5) == [(item, crashing)] * 3


def test_a_container_that_ended_and_waits_for_no_restart_yet_has_crashed_too() -> None:
    ended = container({"terminated": {"exitCode": 127, "reason": "Error", "finishedAt": ago(seconds=5)}})
    (found,) = of_pod(pod(ready=False, age_minutes=1, containerStatuses=[ended]))
    assert (found.severity, found.cause) == (Severity.CRITICAL, "its command is not in the image")
    assert "--previous" not in found.next_step


def test_a_container_killed_at_its_memory_limit_is_told_for_an_hour() -> None:
    died = {"exitCode": 137, "reason": "OOMKilled", "finishedAt": ago(minutes=59)}
    (found,) = of_pod(pod(containerStatuses=[container({"running": {}}, 1, died)]))
    assert (found.severity, found.runbook) == (Severity.WARNING, "container-oom-killed")
    assert found.next_step == "kubectl -n mangakai-prod describe pod backend-1"
    died["finishedAt"] = ago(minutes=61)
    assert of_pod(pod(containerStatuses=[container({"running": {}}, 1, died)])) == []


@pytest.mark.parametrize(
    ("reason", "step"),
    [
        ("ImagePullBackOff", "check image mangakai:1, then: kubectl -n mangakai-prod describe pod backend-1"),
        (
            "CreateContainerConfigError",
            "kubectl -n mangakai-prod describe pod backend-1; "
            "what there is: kubectl -n mangakai-prod get configmaps,secrets",
        ),
    ],
)
def test_a_container_that_cannot_start_is_told_at_once(reason: str, step: str) -> None:
    waiting = container({"waiting": {"reason": reason, "message": "the reason"}})
    (found,) = of_pod(pod("Pending", ready=False, age_minutes=0.1, containerStatuses=[waiting]))
    assert (found.severity, found.next_step) == (Severity.CRITICAL, step)
    assert found.cause.endswith(": the reason")


def test_a_container_whose_user_is_not_allowed_lacks_no_config_map() -> None:
    message = "container has runAsNonRoot and image has non-numeric user (nobody), cannot verify user is non-root"
    waiting = container({"waiting": {"reason": "CreateContainerConfigError", "message": message}})
    (found,) = of_pod(pod("Pending", ready=False, age_minutes=0.1, containerStatuses=[waiting]))
    assert found.cause == f"its image runs as a user that the pod does not allow: {message}"
    assert "configmaps" not in found.next_step


def test_a_pending_pod_has_the_schedulers_reason() -> None:
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "message": "0/3 nodes are available",
        "lastTransitionTime": ago(minutes=5),
    }
    (found,) = of_pod(thing("backend-1", status={"phase": "Pending", "conditions": [condition]}))
    assert (found.severity, found.cause) == (Severity.CRITICAL, "0/3 nodes are available")
    assert found.since == NOW - timedelta(minutes=5)


@pytest.mark.requirement("S-131")
def test_a_pod_that_is_not_ready_is_told_after_the_time_of_a_rollout() -> None:
    assert of_pod(pod(ready=False, age_minutes=1.9)) == []
    (found,) = of_pod(pod(ready=False, age_minutes=2.1))
    assert (found.severity, found.cause, found.runbook) == (
        Severity.WARNING,
        "its readiness probe fails",
        "pod-not-ready",
    )


def test_an_evicted_pod_and_one_that_stays_are_told() -> None:
    (evicted,) = of_pod(thing("x", status={"phase": "Failed", "reason": "Evicted", "message": "low on memory"}))
    assert (evicted.what, evicted.cause) == ("has failed: Evicted", "low on memory")
    (staying,) = of_pod(thing("x", metadata={"deletionTimestamp": ago(minutes=9)}, status={"phase": "Running"}))
    assert staying.what == "is being removed and stays"


def job(name: str, condition: str, age_minutes: float, owner: str = "backup") -> dict[str, Any]:
    owners = [{"kind": "CronJob", "name": owner}]
    held = {"type": condition, "status": "True", "reason": "BackoffLimitExceeded", "message": "it failed"}
    return thing(name, age_minutes, metadata={"ownerReferences": owners}, status={"conditions": [held]})


def test_a_failed_job_is_told_until_the_next_one_of_its_cronjob_succeeds() -> None:
    failed = job("backup-1", "Failed", 60)
    (found,) = workloads.jobs([failed, job("backup-0", "Complete", 120)])
    assert (found.subject, found.what) == ("job mangakai-prod/backup-1", "has failed: BackoffLimitExceeded")
    assert found.next_step == "kubectl -n mangakai-prod logs job/backup-1 --tail=100"
    assert list(workloads.jobs([failed, job("backup-2", "Complete", 30)])) == []
    assert len(list(workloads.jobs([failed, job("other", "Complete", 30, "other")]))) == 1


def service(name: str, **spec: Any) -> dict[str, Any]:
    return thing(name, spec={"selector": {"app": "web"}, "ports": [{"port": 80}], **spec})


def endpoint_slice(service_name: str, ready: bool) -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": service_name}
    return {"metadata": {"labels": labels}, "endpoints": [{"conditions": {"ready": ready}}]}


@pytest.mark.requirement("S-132")
def test_a_service_without_pods_and_one_without_ready_pods_are_told_apart() -> None:
    web = {**pod(ready=False), "metadata": thing("web-1")["metadata"] | {"labels": {"app": "web"}}}
    (found,) = network.services([service("web")], [], [], NOW)
    assert (found.severity, found.subject) == (Severity.CRITICAL, "service mangakai-prod/web")
    assert found.cause.startswith("no pod has the labels app=web")
    (found,) = network.services([service("web")], [endpoint_slice("web", False)], [web], NOW)
    assert found.cause == "none of its 1 pods is ready"
    assert found.next_step == "kubectl -n mangakai-prod get pods -l app=web"
    assert list(network.services([service("web")], [endpoint_slice("web", True)], [web], NOW)) == []


def test_nothing_is_said_of_services_that_others_fill_or_whose_pods_are_young() -> None:
    young = {**pod(), "metadata": thing("web-1", 1)["metadata"] | {"labels": {"app": "web"}}}
    assert list(network.services([service("web")], [], [young], NOW)) == []
    assert list(network.services([service("web", selector=None)], [], [], NOW)) == []


@pytest.mark.requirement("S-132")
def test_a_load_balancer_has_a_url_or_is_told() -> None:
    there = service("kibana-external", type="LoadBalancer") | {
        "status": {"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}]}}
    }
    stuck = service("grafana-external", type="LoadBalancer", loadBalancerClass="service.k8s.aws/nlb")
    url, found = network.load_balancers([there, stuck, service("web")], ExposureSettings())
    assert (url.severity, url.what) == (Severity.INFO, "kibana-external: https://lb.example.com:80")
    assert (found.severity, found.subject) == (Severity.WARNING, "service mangakai-prod/grafana-external")
    assert "aws-load-balancer-controller" in found.next_step
    on_nodes = service("grafana-external", type="NodePort", ports=[{"port": 3000, "nodePort": 30030}])
    exposure = ExposureSettings(loadBalancer="nodePort", nodeAddress="node-1.example.com")
    (url,) = network.load_balancers([on_nodes, service("web", type="NodePort")], exposure)
    assert (url.severity, url.what) == (Severity.INFO, "grafana-external: http://node-1.example.com:30030")
    domain = DomainSettings(name="monitoring.example.com", zoneId="Z0123456789ABCDEFGHIJ")
    (url,) = network.load_balancers([there], ExposureSettings(domain=domain))
    assert url.what == "kibana-external: https://kibana.monitoring.example.com"


@pytest.mark.requirement("S-133")
def test_an_ingress_without_address_or_service_is_told() -> None:
    paths = [{"backend": {"service": {"name": "web"}}}, {"backend": {"service": {"name": "gone"}}}]
    ingress = thing("front", spec={"ingressClassName": "nginx", "rules": [{"http": {"paths": paths}}]})
    gone, address = network.ingresses([ingress], [service("web")])
    assert (gone.severity, gone.what) == (Severity.CRITICAL, "leads to a Service that is not there: gone")
    assert (address.severity, address.cause) == (Severity.WARNING, "no controller serves the class nginx")


def claim(kind: str | None, phase: str = "Pending", age_minutes: float = 1) -> list[Finding]:
    item = thing("data", age_minutes, spec={"storageClassName": kind}, status={"phase": phase})
    classes = {"gp3": "WaitForFirstConsumer", "fast": "Immediate"}
    user = thing("x", spec={"volumes": [{"persistentVolumeClaim": {"claimName": "data"}}]})
    return list(volumes.claims([item], classes, [user], NOW))


def test_a_claim_without_a_volume_is_told_when_none_can_come() -> None:
    assert claim("fast", "Bound") == []
    assert claim("fast", age_minutes=1) == []
    assert "quota, rights or zone" in claim("fast", age_minutes=3)[0].cause
    assert claim("gone")[0].cause == "there is no StorageClass gone"
    assert "names no StorageClass" in claim("")[0].cause
    assert claim("fast", "Lost")[0].what == "has lost its volume"


def test_a_claim_that_waits_for_its_first_pod_is_none() -> None:
    item = thing("data", spec={"storageClassName": "gp3"}, status={"phase": "Pending"})
    assert list(volumes.claims([item], {"gp3": "WaitForFirstConsumer"}, [], NOW)) == []
    assert claim("gp3", age_minutes=60) != []


def record(name: str, version: int, status: str, age_minutes: float = 60) -> dict[str, Any]:
    modified = str(int((NOW - timedelta(minutes=age_minutes)).timestamp()))
    return {"metadata": {"labels": {"name": name, "version": str(version), "status": status, "modifiedAt": modified}}}


def of_releases(*records: dict[str, Any]) -> list[Finding]:
    return list(releases.releases(records, {"grafana": "grafana-12.11.1"}, "prod", 600, NOW))


def test_the_last_revision_of_a_release_counts() -> None:
    (found,) = of_releases(record("grafana", 10, "deployed"), record("grafana", 9, "failed"))
    assert (found.severity, found.what) == (Severity.INFO, "grafana: grafana-12.11.1, revision 10")
    (found,) = of_releases(record("grafana", 9, "deployed"), record("grafana", 10, "failed"))
    assert (found.severity, found.subject) == (Severity.WARNING, "release grafana")
    assert found.next_step.endswith("pulumi up --stack prod")
    assert found.since == NOW - timedelta(hours=1)


def test_a_release_under_way_is_told_when_its_time_is_over() -> None:
    (found,) = of_releases(record("grafana", 1, "pending-install", 9))
    assert found.severity is Severity.INFO
    (found,) = of_releases(record("grafana", 1, "pending-install", 11))
    assert (found.severity, found.next_step) == (
        Severity.WARNING,
        "make repair STACK=prod, then: pulumi up --stack prod",
    )


@pytest.mark.parametrize("status", ["superseded", "uninstalled"])
def test_a_release_that_helm_would_not_leave_so_leads_to_the_repair(status: str) -> None:
    (found,) = of_releases(record("grafana", 1, status))
    assert (found.severity, found.what) == (Severity.WARNING, f"is {status} (revision 1)")
    assert found.next_step.startswith("make repair STACK=prod")


def test_versions_come_from_the_labels_of_what_has_the_releases_name() -> None:
    labels = {"helm.sh/chart": "grafana-12.11.1", "app.kubernetes.io/version": "13.2.0"}
    items = [thing("grafana", metadata={"labels": labels}), thing("other")]
    assert releases.versions(items) == {"grafana": "grafana-12.11.1, application 13.2.0"}


@pytest.mark.parametrize(
    ("health", "severity"),
    [
        ("green", Severity.INFO),
        ("yellow", Severity.WARNING),
        ("unknown", Severity.WARNING),
        ("red", Severity.CRITICAL),
    ],
)
def test_elastics_health_has_a_severity(health: str, severity: Severity) -> None:
    condition = {"type": "ElasticsearchIsReachable", "status": "False", "lastTransitionTime": ago(minutes=5)}
    item = thing("mangakai-logs", status={"health": health, "version": "9.5.3", "conditions": [condition]})
    (found,) = operators.elastic("elasticsearch", [item])
    assert found.severity is severity
    assert found.runbook == (f"elasticsearch-{health}" if health in ("red", "yellow") else "")
    if severity is not Severity.INFO:
        assert found.next_step == "kubectl -n mangakai-prod describe elasticsearch mangakai-logs"
        assert found.since == NOW - timedelta(minutes=5)


def test_what_elastics_operator_refuses_is_told_in_its_words_whatever_the_health() -> None:
    said = "decreasing storage size is not supported"
    condition = {"type": "ReconciliationComplete", "status": "False", "lastTransitionTime": ago(minutes=5)}
    item = thing("mangakai-logs", status={"health": "green", "conditions": [condition | {"message": said}]})
    refused, green = operators.elastic("elasticsearch", [item])
    assert (refused.severity, refused.since, green.severity) == (
        Severity.WARNING,
        NOW - timedelta(minutes=5),
        Severity.INFO,
    )
    assert refused.what.endswith(said)
    assert "set back what it refuses" in refused.next_step


def test_a_jaeger_that_its_operator_could_not_make_is_told() -> None:
    (found,) = operators.jaeger([thing("jaeger", status={"phase": "Failed"})])
    assert (found.severity, found.what) == (Severity.CRITICAL, "is Failed")
    (found,) = operators.jaeger([thing("jaeger", status={"phase": "Running"})])
    assert found.severity is Severity.INFO


def tls_secret(name: str, ends: timedelta) -> dict[str, Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    common_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(common_name)
        .issuer_name(common_name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=90))
        .not_valid_after(NOW + ends)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    return thing(name, data={"tls.crt": base64.b64encode(pem).decode(), "tls.key": "not looked at"})


@pytest.mark.parametrize(
    ("name", "ends", "severity"),
    [
        ("web", timedelta(days=22), None),
        ("web", timedelta(days=20), Severity.WARNING),
        ("web", timedelta(days=2), Severity.CRITICAL),
        ("web", timedelta(days=-1), Severity.CRITICAL),
        # Elastic's operator renews its own a day before their end.
        ("kibana-kb-http-certs-public", timedelta(days=2), None),
        ("kibana-kb-http-certs-public", timedelta(hours=19), Severity.WARNING),
        ("kibana-kb-http-certs-public", timedelta(hours=5), Severity.CRITICAL),
    ],
)
def test_a_certificate_is_told_when_whoever_renews_it_should_have(
    name: str, ends: timedelta, severity: Severity | None
) -> None:
    found = list(certificates.certificates([tls_secret(name, ends)], NOW))
    assert [one.severity for one in found] == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("web", "kubectl -n x get certificate"),
        ("kibana-kb-http-certs-public", "kubectl -n x logs statefulset/elastic-operator"),
        ("alertmanager-gossip", "pulumi up"),
    ],
)
def test_the_next_step_about_a_certificate_is_that_of_whoever_renews_it(name: str, step: str) -> None:
    secret = tls_secret(name, timedelta(hours=1))
    (found,) = certificates.certificates([secret], NOW)
    assert found.next_step.startswith(step.replace(" x ", f" {secret['metadata']['namespace']} "))


@pytest.mark.requirement("S-134")
def test_events_are_sorted_by_when_they_were_seen_last_wherever_that_is() -> None:
    about: dict[str, Any] = {"involvedObject": {"kind": "Pod", "name": "x"}, "reason": "Failed"}
    items = [
        thing("created", 4, **about),
        thing("old", 200, **about),
        thing("series", 300, series={"lastObservedTime": ago(minutes=1)}, **about),
        thing("core", 300, lastTimestamp=ago(minutes=2), **about),
        thing("new", 300, eventTime=ago(minutes=3), lastTimestamp=None, **about),
    ]
    found = list(events.events(items, NOW))
    assert [one.since for one in found] == [NOW - timedelta(minutes=minutes) for minutes in (1, 2, 3, 4)]
    assert {one.severity for one in found} == {Severity.INFO}


@pytest.mark.requirement("S-135")
def test_usage_is_told_of_those_that_use_the_most() -> None:
    metrics = [
        thing(name, containers=[{"usage": {"cpu": "250000000n", "memory": memory}}])
        for name, memory in {"a": "1Mi", "b": "2048Ki", "c": "3Mi", "d": "4Mi"}.items()
    ]
    assert [one.what for one in workloads.usage("x", metrics)] == [
        "d: 4 MiB, 250m CPU",
        "c: 3 MiB, 250m CPU",
        "b: 2 MiB, 250m CPU",
    ]


@pytest.mark.requirement("S-137", "S-138")
def test_what_prometheus_says_becomes_findings() -> None:
    (target,) = monitoring.targets([{"metric": {"job": "redis", "namespace": "mangakai-prod", "pod": "redis-0"}}])
    assert (target.subject, target.next_step) == ("target redis", "kubectl -n mangakai-prod describe pod redis-0")
    (failed,) = monitoring.notifications([{"metric": {"integration": "email"}, "value": [0, "3.02"]}])
    assert (failed.severity, failed.what) == (Severity.CRITICAL, "3 failed in the last hour")
    (down,) = monitoring.exporter("PostgreSQL", [{"metric": {}, "value": [0, "0"]}])
    assert (down.severity, down.runbook) == (Severity.CRITICAL, "postgresql-down")
    (absent,) = monitoring.exporter("Redis", [])
    assert (absent.severity, absent.runbook) == (Severity.WARNING, "redis-unwatched")
    assert list(monitoring.exporter("Redis", [{"metric": {}, "value": [0, "1"]}])) == []


def alert(name: str, severity: str, page: str) -> dict[str, Any]:
    annotations = {"description": "it is so", "runbook_url": f"https://wiki.mangakai.com/runbooks/{page}"}
    return {
        "labels": {"alertname": name, "severity": severity},
        "annotations": annotations,
        "startsAt": ago(minutes=7),
    }


def test_firing_alerts_are_told_and_a_silent_watchdog_too() -> None:
    watchdog, down = alert("Watchdog", "none", "watchdog"), alert("RedisDown", "critical", "redis-down")
    assert list(monitoring.alerts([watchdog])) == []
    (found,) = monitoring.alerts([watchdog, down])
    assert (found.severity, found.runbook, found.since) == (
        Severity.CRITICAL,
        "redis-down",
        NOW - timedelta(minutes=7),
    )
    for others in ([], [down]):
        assert next(one.subject for one in monitoring.alerts(others)) == "alert Watchdog"


@pytest.mark.requirement("S-137", "S-138")
def test_what_the_backend_does_not_reach_is_told_without_its_reason() -> None:
    answer = {
        "status": "degraded",
        "checks": {"database": {"status": "unhealthy", "error": "why"}, "redis": {"status": "healthy"}},
    }
    (found,) = monitoring.readiness(200, json.dumps(answer))
    assert (found.severity, found.what, found.runbook) == (
        Severity.CRITICAL,
        "does not reach its database",
        "postgresql-down",
    )
    assert "why" not in found.cause
    (found,) = monitoring.readiness(404, "<html>")
    assert found.severity is Severity.UNKNOWN


def test_each_runbook_that_a_finding_names_exists() -> None:
    code = "".join(path.read_text() for path in (ROOT / "operations" / "troubleshoot").glob("*.py"))
    others = {"pending-install", "pending-upgrade", "pending-rollback", "mangakai-backend-service", "kibana-external"}
    named = set(re.findall(r'"([a-z]+(?:-[a-z]+)+)"', code)) - others
    assert sorted(page for page in named if not (RUNBOOKS / f"{page}.md").exists()) == []
    assert len(named) >= 8


SECRETS = [
    "password=hunter2",
    "PGPASSWORD: hunter2",
    '{"password": "hunter2", "user": "x"}',
    r"{\"api_key\": \"hunter2\"}",
    "postgresql+asyncpg://mangakai:hunter2@db/mangakai",
    "redis://:hun@ter2hunter2@redis:6379/0 is down",
    "Authorization: Basic hunter2hunter2==",
    "got 'Bearer hunter2.x-y'",
    "--slack-token hunter2",
    "SENTRY_DSN=https://hunter2@sentry.example.com/1",
    "https://hooks.slack.com/services/T0/B0/hunter2",
    "eyJhunter2.eyJzdWIiOiIx.c2ln",
    "x\n-----BEGIN EC PRIVATE KEY-----\nhunter2\n-----END EC PRIVATE KEY-----\ny",
    "hunter2" + "A" * 57,
    "AKIAHUNTER2HUNTER234",
]


@pytest.mark.parametrize("text", SECRETS)
def test_nothing_with_the_form_of_a_secret_is_shown(text: str) -> None:
    assert "hunter2" not in scrub(text).lower()
    (found,) = run([Check("x", "y", lambda: [Finding(Severity.INFO, "x", text, lines=tuple(text.split("\n")))])], 5)
    assert "hunter2" not in (found.what + "".join(found.lines)).lower()


@pytest.mark.parametrize(
    "text",
    [
        'MountVolume.SetUp failed for volume "x" : secret "grafana-admin" not found',
        "kubectl -n monitoring get configmaps,secrets",
        "0/3 nodes are available: 3 Insufficient memory.",
        "http://prometheus.monitoring.svc:9090/-/ready answers 503",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert scrub(text) == text


@pytest.mark.parametrize(
    ("severities", "status"),
    [
        ([], 0),
        ([Severity.INFO], 0),
        ([Severity.INFO, Severity.UNKNOWN], 1),
        ([Severity.UNKNOWN, Severity.WARNING], 3),
        ([Severity.WARNING, Severity.CRITICAL, Severity.UNKNOWN], 4),
    ],
)
@pytest.mark.requirement("S-130")
def test_the_exit_status_is_that_of_the_worst(severities: list[Severity], status: int) -> None:
    assert exit_status([Finding(severity, "x", "y") for severity in severities]) == status


def test_the_table_shows_cause_next_step_runbook_and_log() -> None:
    fault = Finding(
        Severity.CRITICAL,
        "pod a/b",
        "crashes",
        NOW - timedelta(minutes=12),
        "the\ncause",
        "kubectl x",
        "pod-crash-looping",
    )
    log = Finding(Severity.INFO, "log of pod a/b", "container web", lines=("line 1", "line 2"))
    text = table.table("prod", [fault, log], [], NOW)
    assert text.splitlines()[0] == "Stack prod: 1 critical."
    for part in (
        "critical  12 min    pod a/b: crashes",
        "cause:   the cause",
        "next:    kubectl x",
        "docs/runbooks/pod-crash-looping.md",
        "  | line 2",
    ):
        assert part in text


def test_a_healthy_stack_is_one_line_that_says_what_was_looked_at() -> None:
    looked_at = [Check("pods", "a", list), Check("pods", "b", list), Check("jobs", "a", list)]
    text = table.table("prod", [Finding(Severity.INFO, "release", "grafana: 1")], looked_at, NOW)
    assert text.splitlines() == ["Stack prod: nothing found. Looked at: pods, jobs.", "", "release  grafana: 1"]


def test_json_has_all_of_it() -> None:
    text = table.as_json("prod", [Finding(Severity.INFO, "a", "b", NOW)], [Check("pods", "a", list)])
    result = json.loads(text)
    assert result["looked_at"] == ["pods (a)"]
    (found,) = result["findings"]
    assert (found["severity"], found["since"]) == ("info", "2026-01-31T12:00:00+00:00")


def test_a_check_that_hangs_or_fails_stops_no_other() -> None:
    def broken() -> list[Finding]:
        raise KeyError("spec")

    release = threading.Event()
    looked_at = [
        Check("slow", "a", lambda: [Finding(Severity.INFO, "late", str(release.wait(30)))]),
        Check("broken", "a", broken),
        Check("fine", "a", lambda: [Finding(Severity.CRITICAL, "fine", "found")]),
    ]
    began = time.monotonic()
    critical, slow, failed = run(looked_at, 0.5)
    assert time.monotonic() - began < 2
    release.set()
    assert critical.subject == "fine"
    assert (slow.severity, slow.subject, slow.cause) == (Severity.UNKNOWN, "slow (a)", "no answer within 0.5 s")
    assert failed.cause == "KeyError: 'spec'"
