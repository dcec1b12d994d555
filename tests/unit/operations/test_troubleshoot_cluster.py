"""`make troubleshoot` against API servers that answer, refuse, are slow, or are not there."""

import base64
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Subprotocol

from components.settings import read_file
from operations.cluster import Cluster, Missing, Unreadable
from operations.troubleshoot.checks import checks
from operations.troubleshoot.finding import Finding, Severity, exit_status
from operations.troubleshoot.runner import WHEN_LATE, run
from tests.offline import ROOT
from tests.serving import serving
from tests.unit.operations.kubernetes_objects import NOW, container, pod, thing


def kubeconfig(folder: Path, server: str) -> Path:
    file = folder / "kubeconfig"
    document = {
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "clusters": [{"name": "test", "cluster": {"server": server, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "test", "user": {"token": "canary"}}],
    }
    file.write_text(yaml.safe_dump(document))
    return file


class Api(ThreadingHTTPServer):
    """An API server that answers what it is told to, by path, and 403 to everything else."""

    daemon_threads = True
    request_queue_size = 100

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Any] = {}
        self.seconds = 0.0
        self.asked: list[tuple[str, str]] = []


class Handler(BaseHTTPRequestHandler):
    server: Api

    def do_GET(self) -> None:
        time.sleep(self.server.seconds)
        self.server.asked.append((self.path, self.headers["Accept"]))
        found = self.server.answers.get(self.path.partition("?")[0])
        self.send_response(403 if found is None else found if isinstance(found, int) else 200)
        self.end_headers()
        self.wfile.write(found.encode() if isinstance(found, str) else json.dumps(found).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def api() -> Iterator[Api]:
    server = Api()
    with serving(server):
        yield server


@pytest.fixture
def cluster(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, f"http://127.0.0.1:{api.server_port}")))
    return Cluster("test", 1, WHEN_LATE)


def everything(cluster: Cluster) -> list[Finding]:
    settings = read_file(ROOT / "Pulumi.prod.yaml")
    return run(checks(cluster, settings, "prod", NOW), cluster.timeout)


def test_whoever_may_not_look_is_told_once_what_was_not_looked_at(cluster: Cluster) -> None:
    (found,) = everything(cluster)
    assert (found.severity, found.cause) == (Severity.UNKNOWN, "forbidden (403)")
    assert found.next_step == "have the rights in docs/troubleshooting.md given to you"
    for topic in (
        "pods (mangakai-prod)",
        "releases (monitoring)",
        "Prometheus (monitoring)",
        "beat (monitoring-agents)",
    ):
        assert topic in found.subject
    assert exit_status([found]) == 1


def test_a_slow_api_server_costs_the_time_limit_once(api: Api, cluster: Cluster) -> None:
    api.seconds = 3
    began = time.monotonic()
    (found,) = everything(cluster)
    assert time.monotonic() - began < 2.5
    assert (found.severity, found.cause) == (Severity.UNKNOWN, "no answer within 1 s")


def test_a_slow_answer_is_not_asked_for_again(api: Api, cluster: Cluster) -> None:
    api.seconds = 1.5
    with pytest.raises(Unreadable, match="no answer within 1 s"):
        cluster.get("/version")
    time.sleep(1)
    assert len(api.asked) == 1


@pytest.mark.parametrize(("status", "why"), [(401, "does not accept your login"), (404, "no such thing"), (500, "500")])
def test_each_refusal_has_its_words(api: Api, cluster: Cluster, status: int, why: str) -> None:
    api.answers["/version"] = status
    with pytest.raises(Unreadable, match=why) as caught:
        cluster.get("/version")
    assert isinstance(caught.value, Missing) is (status == 404)


def test_a_namespace_that_is_not_there_is_no_healthy_one(api: Api, cluster: Cluster) -> None:
    api.answers = {"/api/v1/namespaces/monitoring": 404, "/api/v1/namespaces/monitoring/secrets": {"items": None}}
    found = {one.what: one for one in everything(cluster) if one.severity is Severity.CRITICAL}
    assert found["is not there"].next_step == "pulumi up --stack prod"
    assert found["there is no Release: the stack is not up"].next_step == "pulumi up --stack prod"


@pytest.mark.requirement("S-136")
def test_the_log_is_of_the_run_before_and_has_no_secret(api: Api, cluster: Cluster) -> None:
    crashing = pod(ready=False, containerStatuses=[container({"waiting": {"reason": "CrashLoopBackOff"}}, 2)])
    for namespace in ("monitoring", "monitoring-agents", "mangakai-prod"):
        pods = [crashing] if namespace == "mangakai-prod" else []
        api.answers[f"/api/v1/namespaces/{namespace}/pods"] = {"items": pods}
    log = "/api/v1/namespaces/mangakai-prod/pods/backend-1/log"
    api.answers[log] = "connecting to postgresql://mangakai:hunter2@db\nTraceback\n"
    (found,) = [one for one in everything(cluster) if one.lines]
    assert found.lines == ("connecting to postgresql://***@db", "Traceback")
    (asked,) = [path for path, _ in api.asked if path.startswith(log)]
    assert {"container=web", "previous=true", "tailLines=50"} <= set(asked.split("?")[1].split("&"))


def asked_pods(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, answers: dict[str, str]
) -> list[tuple[str, int, str]]:
    """Let pods answer by path; return the list of who is asked with which login, which grows."""
    asked = []

    def ask(item: dict[str, Any], port: int, path: str, login: str = "") -> tuple[int, str]:
        asked.append((item["metadata"]["name"], port, login))
        return 200, next(text for part, text in answers.items() if part in path)

    monkeypatch.setattr(cluster, "ask", ask)
    return asked


def test_prometheus_and_alertmanager_are_asked_with_the_login_of_the_stack(
    api: Api, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = {key: base64.b64encode(text).decode() for key, text in (("username", b"monitoring"), ("password", b"pw"))}
    starting = pod(ready=False)
    starting["metadata"]["name"] = "starting"
    api.answers = {
        "/api/v1/namespaces/monitoring/pods": {"items": [starting, pod()]},
        "/api/v1/namespaces/monitoring/secrets/web-auth": {"data": login},
    }
    none, down = '{"data": {"result": []}}', '{"data": {"result": [{"metric": {}, "value": [0, "0"]}]}}'
    answers = {"query=pg_up": down, "query=": none, "/api/v2/alerts": "[]"}
    asked = asked_pods(cluster, monkeypatch, answers)
    found = {one.subject: one.severity for one in everything(cluster) if one.severity is not Severity.UNKNOWN}
    header = f"Basic {base64.b64encode(b'monitoring:pw').decode()}"
    assert set(asked) == {("backend-1", 9090, header), ("backend-1", 9093, header)}
    assert found["PostgreSQL"] is found["alert Watchdog"] is Severity.CRITICAL
    assert found["Redis"] is Severity.WARNING


def test_the_backend_is_asked_on_its_own_port_and_not_on_that_of_its_metrics(
    api: Api, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = [{"name": "metrics", "port": 8001}, {"name": "http", "port": 8080}]
    endpoints = [{"targetRef": {"kind": "Pod", "name": "backend-1"}}]
    path = "/apis/discovery.k8s.io/v1/namespaces/mangakai-prod/endpointslices"
    api.answers = {path: {"items": [{"ports": ports, "endpoints": endpoints}]}}
    answers = {"/ready": '{"checks": {"redis": {"status": "unhealthy"}}}'}
    asked = asked_pods(cluster, monkeypatch, answers)
    found = everything(cluster)
    assert asked == [("backend-1", 8080, "")]
    assert found[0].what == "does not reach its redis"


@pytest.mark.requirement("S-135")
def test_without_metrics_server_the_usage_is_not_known_and_that_is_no_fault(api: Api, cluster: Cluster) -> None:
    api.answers["/apis/metrics.k8s.io/v1beta1/namespaces/monitoring/pods"] = 404
    (found,) = [one for one in everything(cluster) if one.severity is Severity.INFO]
    assert found.what == "not known: there is no metrics-server on the cluster"


def test_helms_records_are_read_without_what_they_hold(api: Api, cluster: Cluster) -> None:
    everything(cluster)
    accepted = [accept for path, accept in api.asked if "labelSelector=owner" in path]
    assert len(accepted) == 3
    assert all("PartialObjectMetadata" in accept for accept in accepted)


def port_forward(connection: ServerConnection, answers: bool, asked: list[bytes]) -> None:
    """Speak as a kubelet does: data and errors of the port on channels of their own, each begun with its number."""
    port = (9090).to_bytes(2, "little")
    connection.send(b"\0" + port)
    connection.send(b"\1" + port)
    request = connection.recv(decode=False)
    # What is posted may come in a message of its own.
    if request.startswith(b"\0POST") and request.endswith(b"\r\n\r\n"):
        request += connection.recv(decode=False)[1:]
    asked.append(request)
    body = b'{"data": {"result": []}}'
    if answers:
        connection.send(b"\0HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    else:
        connection.send(b"\1connection refused")
    connection.recv()


@pytest.mark.parametrize("answers", [True, False])
def test_a_pod_is_asked_through_a_port_forward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: bool) -> None:
    asked: list[bytes] = []
    handler = partial(port_forward, answers=answers, asked=asked)
    with serve(handler, "127.0.0.1", 0, subprotocols=[Subprotocol("v4.channel.k8s.io")]) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.socket.getsockname()[1]
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, f"http://127.0.0.1:{port}")))
        cluster, pod_ = Cluster("test", 5), thing("prometheus-0")
        if answers:
            assert cluster.ask(pod_, 9090, "/api/v1/query", "Basic x") == (200, '{"data": {"result": []}}')
            assert b"GET /api/v1/query" in asked[0]
            assert b"Authorization: Basic x" in asked[0]
            assert cluster.ask(pod_, 9090, "/api/v2/alerts", body='[{"labels": {}}]')[0] == 200
            assert b"POST /api/v2/alerts" in asked[1]
            assert asked[1].endswith(b'[{"labels": {}}]')
        else:
            with pytest.raises(Unreadable, match="connection refused"):
                cluster.ask(pod_, 9090, "/", "")
        server.shutdown()
        thread.join()


def program(
    folder: Path, server: str, *arguments: str, other: str = "", document: Any = None
) -> tuple[int, str, float]:
    """Run the program on a stack of that server, and return its exit status, what it says, and the seconds."""
    settings = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())
    cluster = {"name": "x", "region": "x", "context": "test", "server": other or server}
    settings["config"]["mangakai-monitoring:cluster"] = cluster
    (folder / "Pulumi.test.yaml").write_text(yaml.safe_dump(settings))
    file = kubeconfig(folder, server)
    if document:
        file.write_text(yaml.safe_dump(document))
    own = {
        "KUBECONFIG": str(file),
        "PULUMI_OPTION_CONFIG_FILE": str(folder / "Pulumi.test.yaml"),
    }
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "operations.troubleshoot", "--stack", "test", *arguments],
        cwd=ROOT,
        env=os.environ | own,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr, time.monotonic() - began


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_an_api_server_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    server = f"https://127.0.0.1:{closed_port()}"
    status, text, seconds = program(tmp_path, server)
    assert status == 1
    assert text.startswith(f"troubleshoot: the API server {server} cannot be reached")
    assert "your network or VPN" in text
    assert text.count("\n") == 1
    assert seconds < 8


def test_an_api_server_that_says_nothing_is_one_clear_error_in_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        status, text, seconds = program(tmp_path, f"https://127.0.0.1:{server.getsockname()[1]}", "--timeout", "1")
    assert (status, text) == (
        1,
        "troubleshoot: no answer within 1 s: try again, with --timeout 60 if the cluster is slow\n",
    )
    assert seconds < 8


def test_a_login_program_that_hangs_is_one_clear_error_in_time(tmp_path: Path) -> None:
    server = "https://127.0.0.1:1"
    file = kubeconfig(tmp_path, server)
    document = yaml.safe_load(file.read_text())
    login = {"apiVersion": "client.authentication.k8s.io/v1", "command": "sleep", "args": ["10"]}
    document["users"][0]["user"] = {"exec": {**login, "interactiveMode": "Never"}}
    status, text, seconds = program(tmp_path, server, "--timeout", "1", document=document)
    assert (status, text.partition(":")[2].partition(":")[0]) == (1, " no answer within 1 s")
    assert seconds < 8


def test_another_cluster_is_refused(tmp_path: Path) -> None:
    status, text, _ = program(tmp_path, "https://127.0.0.1:1", other="https://example.com")
    assert status == 2
    assert "leads to https://127.0.0.1:1, but this stack belongs to https://example.com" in text


def test_a_stack_that_is_not_there_is_refused(tmp_path: Path) -> None:
    status, text, _ = program(tmp_path, "https://127.0.0.1:1", "--stack", "nope")
    assert status == 2
    assert "Pulumi.nope.yaml does not exist; there are: kind, local, prod, staging" in text
