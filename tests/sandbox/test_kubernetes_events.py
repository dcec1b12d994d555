"""The program that writes Kubernetes' events, with the rights and environment of its pod: each once, come what may."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from kubernetes import client, config

from components.logs.events import watch
from sandbox import cluster, processes
from sandbox.build import ensure
from sandbox.layout import Sandbox, ports_from
from sandbox.program_pins import Group, of_groups
from tests.offline import run
from tests.sandbox.conftest import Api
from tests.sandbox.waiting import until

FIRST_PORT = 28543
APPLICATION = "mangakai-prod"
NAMESPACES: list[dict[str, Any]] = [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    for name in ("monitoring", "monitoring-agents")
]


@dataclass
class Watcher:
    """A pod of the Deployment, as far as the program sees it; its container may end and start again."""

    environment: dict[str, str]
    output: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        with self.output.open("ab") as output:
            self.process = subprocess.Popen([sys.executable, watch.__file__], env=self.environment, stdout=output)

    def end(self, with_signal: int) -> int:
        assert self.process
        self.process.send_signal(with_signal)
        return self.process.wait(timeout=10)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output.read_text().splitlines() if line.endswith("}")]

    def about(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.lines() if line.get("object", {}).get("name") == name]

    def says(self, text: str) -> bool:
        return any(text in line["message"] for line in self.lines())


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A control plane, with what the stack `local` gives the program."""
    ensure(of_groups(Group.CLUSTER))
    own = Sandbox(tmp_path_factory.mktemp("events"), ports_from(FIRST_PORT))
    try:
        cluster.start(own)
        manifests = tmp_path_factory.mktemp("manifests")
        for number, manifest in enumerate([*NAMESPACES, *(one for one in objects() if one["kind"] != "Deployment")]):
            (manifests / f"{number:02d}.yaml").write_text(yaml.safe_dump(manifest))
        cluster.apply(own, manifests)
        until(lambda: "default" in cluster.kubectl(own, "get", "serviceaccounts", "-n", APPLICATION), 180)
        yield own
    finally:
        cluster.remove(own)


@pytest.fixture(scope="module")
def api(sandbox: Sandbox) -> Api:
    return Api(config.new_client_from_config(str(sandbox.kubeconfig)))  # type: ignore[no-untyped-call]


# All but the NetworkPolicy: the program runs beside the cluster.
KINDS = ("kubernetes:core/", "kubernetes:rbac.authorization.k8s.io/", "kubernetes:apps/")


@cache
def objects() -> list[dict[str, Any]]:
    """Return the objects of the program in the stack `local`."""
    with TemporaryDirectory() as folder:
        resources = run("local", Path(folder)).resources
    return [
        {"apiVersion": version(one.type), "kind": one.type.rpartition(":")[2], **one.inputs}
        for one in resources
        if one.name.startswith("kubernetes-events") and one.type.startswith(KINDS)
    ]


def version(token: str) -> str:
    """Return the apiVersion that the type of a resource says."""
    version = token.split(":")[1]
    group, _, number = version.partition("/")
    known = {"core": number, "rbac.authorization.k8s.io": version, "apps": version}
    return known[group]


def environment(sandbox: Sandbox, api: Api, folder: Path) -> dict[str, str]:
    """Return the environment of the Deployment's container, with a token of its ServiceAccount."""
    (deployment,) = (one for one in objects() if one["kind"] == "Deployment")
    spec = deployment["spec"]["template"]["spec"]
    given = {each["name"]: each["value"] for each in spec["containers"][0]["env"]}
    account = folder / "account"
    account.mkdir()
    token: Any = api.core.create_namespaced_service_account_token(
        spec["serviceAccountName"], "monitoring", client.AuthenticationV1TokenRequest(spec={})
    )
    (account / "token").write_text(token.status.token)
    entry = yaml.safe_load(sandbox.kubeconfig.read_text())["clusters"][0]["cluster"]
    (account / "ca.crt").write_bytes(base64.b64decode(entry["certificate-authority-data"]))
    host, _, port = entry["server"].removeprefix("https://").partition(":")
    server = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
    return {**os.environ, **given, **server, "ACCOUNT": str(account), "PLACES": str(folder / "places")}


@pytest.fixture
def pod(sandbox: Sandbox, api: Api, tmp_path: Path) -> Iterator[Callable[[], Watcher]]:
    """Make a pod whose container runs."""
    made: list[Watcher] = []

    def new() -> Watcher:
        folder = tmp_path / f"pod-{len(made)}"
        (folder / "places").mkdir(parents=True)
        made.append(Watcher(environment(sandbox, api, folder), folder / "stdout"))
        made[-1].start()
        until(lambda: all((folder / "places" / name).exists() for name in ("default", APPLICATION, "monitoring")))
        return made[-1]

    yield new
    for one in made:
        if one.process and one.process.poll() is None:
            one.end(signal.SIGKILL)


def ask_for_too_much(api: Api, name: str) -> None:
    """Make a pod that no node has room for."""
    container = {"name": "draw", "image": "example.com/draw:1", "resources": {"requests": {"cpu": "4096"}}}
    pod: Any = {"metadata": {"name": name}, "spec": {"containers": [container]}}
    api.core.create_namespaced_pod(APPLICATION, pod)


def record(api: Api, name: str, kind: str = "Pod", namespace: str = APPLICATION) -> None:
    """Make an event, in the older form, that is counted five times."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    event: Any = {
        "metadata": {"name": f"{name}.1"},
        "involvedObject": {"kind": kind, "name": name, "namespace": namespace if kind == "Pod" else ""},
        "type": "Warning",
        "reason": "Canary",
        "message": f"{name} sings",
        "source": {"component": "kubelet", "host": "node-7"},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 5,
    }
    api.core.create_namespaced_event(namespace, event)


def test_a_request_that_no_node_can_meet_is_a_line(pod: Callable[[], Watcher], api: Api) -> None:
    watcher = pod()
    began = time.monotonic()
    ask_for_too_much(api, "greedy")
    until(lambda: bool(watcher.about("greedy")))
    print(f"\nafter {time.monotonic() - began:.1f} s")
    line, *_ = watcher.about("greedy")
    assert (line["reason"], line["log.level"], line["count"]) == ("FailedScheduling", "WARNING", 1)
    assert line["log.logger"] == "default-scheduler"
    assert line["object"] == {"kind": "Pod", "namespace": APPLICATION, "name": "greedy"}
    assert "Insufficient cpu" in line["message"]


def test_events_of_nodes_are_written_and_those_of_other_namespaces_are_not(
    pod: Callable[[], Watcher], api: Api
) -> None:
    watcher = pod()
    record(api, "stranger", namespace="default")
    record(api, "stranger", namespace="kube-system")
    record(api, "node-7", kind="Node", namespace="default")
    record(api, "own", namespace="monitoring-agents")
    until(lambda: bool(watcher.about("node-7") and watcher.about("own")))
    (line,) = watcher.about("node-7")
    assert (line["node"], line["count"], line["log.logger"]) == ("node-7", 5, "kubelet")
    assert not watcher.about("stranger")


def test_each_count_is_a_line(pod: Callable[[], Watcher], api: Api) -> None:
    watcher = pod()
    record(api, "again")
    api.core.patch_namespaced_event("again.1", APPLICATION, {"count": 6})
    until(lambda: len(watcher.about("again")) == 2)
    assert [line["count"] for line in watcher.about("again")] == [5, 6]


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_written_twice_or_lost_when_the_container_starts_anew(
    pod: Callable[[], Watcher], api: Api, end: int
) -> None:
    watcher, names = pod(), [f"before-{end}", f"between-{end}", f"after-{end}"]
    record(api, names[0])
    until(lambda: bool(watcher.about(names[0])))
    assert watcher.end(end) == (0 if end == signal.SIGTERM else -end)
    record(api, names[1])
    watcher.start()
    record(api, names[2])
    until(lambda: bool(watcher.about(names[1]) and watcher.about(names[2])))
    api.core.delete_namespaced_event(f"{names[1]}.1", APPLICATION)
    time.sleep(2)
    assert [len(watcher.about(name)) for name in names] == [1, 1, 1]


def test_a_new_pod_begins_with_what_happened_since_it_was_made(pod: Callable[[], Watcher], api: Api) -> None:
    first = pod()
    record(api, "old")
    until(lambda: bool(first.about("old")))
    first.end(signal.SIGTERM)
    time.sleep(1.1)  # Kubernetes' times are of a second
    second = pod()
    record(api, "new")
    until(lambda: bool(second.about("new")))
    assert not second.about("old")


def test_a_place_that_the_api_server_has_forgotten(pod: Callable[[], Watcher], sandbox: Sandbox, api: Api) -> None:
    watcher = pod()
    record(api, "seen")
    until(lambda: bool(watcher.about("seen")))
    watcher.end(signal.SIGTERM)
    record(api, "unseen")
    revision = api.get(f"/api/v1/namespaces/{APPLICATION}/events")["metadata"]["resourceVersion"]
    forget(sandbox, revision)
    place = Path(watcher.environment["PLACES"]) / APPLICATION
    assert 0 < int(place.read_text()) < int(revision)
    watcher.start()
    until(lambda: bool(watcher.about("unseen")))
    assert [len(watcher.about(name)) for name in ("seen", "unseen")] == [1, 1]


def forget(sandbox: Sandbox, revision: str) -> None:
    """Let etcd and the API server forget what was before a revision, as they do of themselves after some minutes."""
    url = f"http://127.0.0.1:{sandbox.ports.etcd}/v3/kv/compaction"
    body = json.dumps({"revision": revision, "physical": True}).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=30) as answer:
        assert answer.status == 200
    processes.stop(sandbox, "kube-apiserver")
    cluster.start(sandbox)


def test_an_api_server_that_goes_away(pod: Callable[[], Watcher], sandbox: Sandbox, api: Api) -> None:
    watcher = pod()
    record(api, "earlier")
    until(lambda: bool(watcher.about("earlier")))
    processes.stop(sandbox, "kube-apiserver")
    until(partial(watcher.says, f"no events of {APPLICATION}"))
    cluster.start(sandbox)
    record(api, "later")
    until(lambda: bool(watcher.about("later")))
    assert [len(watcher.about(name)) for name in ("earlier", "later")] == [1, 1]
    assert watcher.process
    assert watcher.process.poll() is None
