"""Each program of ours that runs in a pod, as the first process of its namespace: SIGTERM ends it within ten seconds.

What a backup was at then, or when it was killed, the next pod catches up, and what was saved before is whole.
"""

import base64
import hashlib
import json
import os
import re
import signal
import socket
import socketserver
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

from backup_agent import BackupError, repository
from backup_agent import __main__ as program
from backup_agent.blocks import read
from backup_agent.saved_by_restic import SavedByRestic
from components.backups.agent_config_map import files as backup_files
from components.elastic import awaited
from components.logs.events import watch
from components.logs.index import set_up
from components.logs.log_index import files as set_up_files
from tests.backup_agent import first_process
from tests.backup_agent.conftest import BUCKET, STORAGE_PORT, Prometheus, Storage
from tests.backup_agent.first_process import FirstProcess
from tests.backup_agent.test_prometheus import BEGIN
from tests.offline import STACKS, run
from tests.serving import serving
from tests.unit.components.logs import elastic

METRICS_PORT = 29347
ASKED_TO_STOP, NOT_DONE = 0, 128 + signal.SIGTERM
LOCKS = "prometheus/prometheus-0/locks/"

RUN_PROMETHEUS = "python -m backup run prometheus"
RUN_GRAFANA = "python -m backup run grafana"
RUN_BACKUP = "python -m backup run alertmanager mangakai-logs mangakai-traces"
SET_UP_BACKUP = "python -m backup set-up mangakai-logs mangakai-traces"
SET_UP_LOGS = "python /set-up/set_up.py"
WATCH_EVENTS = "python /program/watch.py"
AWAIT_ELASTICSEARCH = f"python -c {awaited.PROGRAM}"


def commands(value: Any) -> Iterator[str]:
    """Yield the commands of containers that run Python, from a resource's inputs; some charts take them as YAML."""
    if isinstance(value, str) and "python" in value:
        with suppress(yaml.YAMLError):
            value = yaml.safe_load(value)
    if isinstance(value, dict):
        if str(value.get("image")).startswith("python:"):
            yield " ".join(value["command"])
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from commands(each)


def test_these_are_the_programs_of_ours_that_run_in_pods(tmp_path: Path) -> None:
    found: set[str] = set()
    for stack in STACKS:
        for resource in run(stack, tmp_path).resources:
            found |= set(commands(list(resource.inputs.values())))
    assert found == {
        RUN_PROMETHEUS,
        RUN_GRAFANA,
        RUN_BACKUP,
        SET_UP_BACKUP,
        SET_UP_LOGS,
        WATCH_EVENTS,
        AWAIT_ELASTICSEARCH,
    }


@dataclass
class Pods:
    """Starts the programs as their pods do, on this machine: from the files of the ConfigMaps, with stock Python."""

    folder: Path
    environment: dict[str, str]
    count: int = 0

    def __post_init__(self) -> None:
        events = {"watch.py": Path(watch.__file__).read_text()}
        for name, contents in {"programs/backup": backup_files(), "set-up": set_up_files(), "program": events}.items():
            (self.folder / name).mkdir(parents=True)
            for file, text in contents.items():
                (self.folder / name / file).write_text(text)
        (self.folder / "bin").mkdir()
        # Not the environment of the tests, which has more than the standard library.
        (self.folder / "bin" / "python").symlink_to(Path(sys.executable).resolve())

    @contextmanager
    def pod(self, command: str, host: str, more: Mapping[str, str], dns: bool = True) -> Iterator[FirstProcess]:
        """Run what a pod runs, on the host name of that pod, with an environment of which `more` is its own."""
        self.count += 1
        folder = self.folder / f"pod-{self.count}"
        environment = {
            **self.environment,
            "PATH": f"{self.folder}/bin:{self.environment['PATH']}",
            "PYTHONPATH": f"{self.folder}/programs",
            "PYTHONDONTWRITEBYTECODE": "1",
            "RESTIC_CACHE_DIR": f"{folder}-cache",
            "BACKUP_LISTEN": f"127.0.0.1:{METRICS_PORT}",
            **more,
        }
        command = re.sub("/(set-up|program)/", rf"{self.folder}/\1/", command)
        words = command.split(maxsplit=2 if " -c " in command else -1)
        with first_process.started(words, environment, folder, host, dns) as process:
            yield process


@pytest.fixture
def pods(tmp_path: Path, environment: dict[str, str]) -> Pods:
    return Pods(tmp_path / "pods", environment)


@pytest.fixture
def silent() -> Iterator[int]:
    """A port on which connections are taken, and nothing is answered."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def connected(pod: FirstProcess, port: int, table: str = "tcp") -> bool:
    """Return whether a socket in the network of a pod is connected to a port of 127.0.0.1."""
    lines = Path(f"/proc/{pod.pid}/net/{table}").read_text().splitlines()
    return any(line.split()[2:4] == [f"0100007F:{port:04X}", "01"] for line in lines)


def metrics() -> dict[str, float]:
    """Return the metrics of the program that runs, as Prometheus reads them; none as long as it does not serve."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{METRICS_PORT}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return {}
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def elasticsearch(url: str) -> dict[str, str]:
    names = ("MANGAKAI_LOGS", "MANGAKAI_TRACES")
    clusters = [{f"{name}_URL": url, f"{name}_LOGIN": "x:y", f"{name}_AUTHORITY": ""} for name in names]
    return {"BACKUP_BUCKET": BUCKET, **clusters[0], **clusters[1]}


def logs(tmp_path: Path, host: str) -> dict[str, str]:
    """Return what the set-up of the logs reads."""
    (tmp_path / "authority").mkdir()
    (tmp_path / "ca.crt").write_bytes(elastic.authority(tmp_path / "authority").pem)
    given = dict.fromkeys(set_up.VARIABLES, "1")
    urls = {"ELASTICSEARCH_URL": f"https://{host}", "KIBANA_URL": "https://x"}
    return {**given, **urls, "CA_FILE": f"{tmp_path}/ca.crt"}


def waiting(tmp_path: Path, host: str) -> dict[str, str]:
    """Return what the program reads that waits for an Elasticsearch."""
    ca = logs(tmp_path, host)["CA_FILE"]
    return {"URL": f"https://{host}", "CA": ca, "LOGIN": "jaeger:x"}


# What each may be at when it is told to stop.


def test_prometheus_in_a_restic_whose_storage_does_not_answer(pods: Pods, silent: int) -> None:
    storage = f"s3:http://127.0.0.1:{silent}/{BUCKET}"
    environment = {"PROMETHEUS_DATA": str(pods.folder), "BACKUP_STORAGE": storage}
    with pods.pod(RUN_PROMETHEUS, "prometheus-0", environment) as pod:
        pod.until(lambda: metrics() and connected(pod, silent))
        pod.stop(ASKED_TO_STOP)


@pytest.mark.usefixtures("storage")
def test_prometheus_in_a_long_hard_linking(pods: Pods, prometheus: Prometheus) -> None:
    prometheus.fill(BEGIN, 2)
    chunks = read(prometheus.data)[0].folder / "chunks"
    for number in range(50_000):
        (chunks / f"empty-{number}").touch()
    stage = prometheus.data / ".backup"
    with pods.pod(RUN_PROMETHEUS, "prometheus-0", {"PROMETHEUS_DATA": str(prometheus.data)}) as pod:
        pod.until(lambda: next(stage.glob("*/chunks/empty-*"), None))
        pod.stop(ASKED_TO_STOP)
    assert not stage.exists(), "what was linked stays when Prometheus deletes it"


@pytest.mark.usefixtures("storage")
def test_grafana_in_sqlite_which_python_cannot_interrupt(pods: Pods, tmp_path: Path) -> None:
    file = tmp_path / "grafana.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as grafana:
        grafana.execute("CREATE TABLE user (login TEXT)")
        grafana.execute("BEGIN EXCLUSIVE")
        with pods.pod(RUN_GRAFANA, "grafana-0", {"GRAFANA_DATABASE": str(file)}) as pod:
            pod.until((tmp_path / "work" / "stage").exists)
            time.sleep(1)  # from the folder to the copy
            pod.stop(ASKED_TO_STOP)


@pytest.mark.usefixtures("storage")
def test_the_deployment_in_a_request_that_is_not_answered(pods: Pods, silent: int) -> None:
    url = f"http://127.0.0.1:{silent}"
    with pods.pod(RUN_BACKUP, "backup-5d8f7-x", {"ALERTMANAGER_URL": url, **elasticsearch(url)}) as pod:
        pod.until(lambda: metrics() and connected(pod, silent))
        pod.stop(ASKED_TO_STOP)


@pytest.mark.usefixtures("storage")
def test_the_deployment_in_its_sleep(pods: Pods) -> None:
    nobody = "http://127.0.0.1:1"
    with pods.pod(RUN_BACKUP, "backup-5d8f7-x", {"ALERTMANAGER_URL": nobody, **elasticsearch(nobody)}) as pod:
        pod.until(lambda: metrics().get('backup_failing{part="mangakai-traces"}'))
        pod.stop(ASKED_TO_STOP)


def test_the_set_up_of_snapshots_in_a_request_that_is_not_answered(pods: Pods, silent: int) -> None:
    with pods.pod(SET_UP_BACKUP, "backup-set-up-x", elasticsearch(f"http://127.0.0.1:{silent}")) as pod:
        pod.until(lambda: connected(pod, silent))
        pod.stop(NOT_DONE)


def test_the_set_up_of_logs_in_a_request_that_is_not_answered(pods: Pods, silent: int, tmp_path: Path) -> None:
    with pods.pod(SET_UP_LOGS, "log-index-x", logs(tmp_path, f"127.0.0.1:{silent}")) as pod:
        pod.until(lambda: connected(pod, silent))
        pod.stop(NOT_DONE)


def test_the_events_in_a_request_that_is_not_answered(pods: Pods, silent: int, tmp_path: Path) -> None:
    (tmp_path / "places").mkdir()
    (tmp_path / "token").write_text("x")
    logs(tmp_path, "x")
    environment = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(silent)}
    environment |= {"ACCOUNT": str(tmp_path), "PLACES": f"{tmp_path}/places", "NAMESPACES": "mangakai-prod"}
    with pods.pod(WATCH_EVENTS, "kubernetes-events-x", environment) as pod:
        pod.until(lambda: connected(pod, silent))
        pod.stop(ASKED_TO_STOP)


def test_waiting_for_elasticsearch_in_a_request_that_is_not_answered(pods: Pods, silent: int, tmp_path: Path) -> None:
    with pods.pod(AWAIT_ELASTICSEARCH, "mangakai-traces-awaited-x", waiting(tmp_path, f"127.0.0.1:{silent}")) as pod:
        pod.until(lambda: connected(pod, silent))
        pod.stop(NOT_DONE)


@pytest.mark.parametrize(
    ("command", "status"),
    [(RUN_BACKUP, ASKED_TO_STOP), (SET_UP_BACKUP, NOT_DONE), (SET_UP_LOGS, NOT_DONE), (AWAIT_ELASTICSEARCH, NOT_DONE)],
)
def test_a_look_up_of_a_name_that_is_not_answered(pods: Pods, tmp_path: Path, command: str, status: int) -> None:
    """It has a network of its own here, so restic cannot reach a storage: the parts of the Deployment come in turn."""
    url = "http://mangakai-logs-es-http.monitoring.svc"
    host = url.removeprefix("http://")
    environment = {**logs(tmp_path, host), **elasticsearch(url), "ALERTMANAGER_URL": url}
    environment |= {"URL": f"https://{host}", "CA": f"{tmp_path}/ca.crt", "LOGIN": "jaeger:x"}
    environment["BACKUP_STORAGE"] = str(tmp_path / "bucket")
    with pods.pod(command, "x", environment, dns=False) as pod:
        pod.until(lambda: connected(pod, 53, "udp"))
        pod.stop(status)


@pytest.mark.usefixtures("storage")
def test_a_program_that_has_nothing_to_end_on_sigterm_is_found(pods: Pods, tmp_path: Path) -> None:
    """What these tests are worth: the kernel keeps SIGTERM from a first process that has no handler."""
    (tmp_path / "sleep.py").write_text("import time\nprint('asleep', flush=True)\ntime.sleep(60)\n")
    with pods.pod(f"python {tmp_path}/sleep.py", "x", {}) as pod:
        pod.until(lambda: "asleep" in pod.said())
        with pytest.raises(pytest.fail.Exception, match="after SIGTERM it still runs"):
            pod.tell(signal.SIGTERM, 3)


# What is caught up.


class Slow(socketserver.ThreadingTCPServer):
    """The storage behind a slow network; `sent` is how many bytes went there."""

    daemon_threads = True

    def __init__(self) -> None:
        self.sent, self.pause = 0, 0.1
        super().__init__(("127.0.0.1", 0), socketserver.BaseRequestHandler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        with socket.create_connection(("127.0.0.1", STORAGE_PORT)) as storage:
            back = threading.Thread(target=self._pump, args=(storage, request), daemon=True)
            back.start()
            self._pump(request, storage)
            back.join()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while piece := source.recv(8192):
                target.sendall(piece)
                self.sent += len(piece)
                time.sleep(self.pause)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # who asked has gone


@pytest.fixture
def slow() -> Iterator[Slow]:
    server = Slow()
    with serving(server):
        yield server


@dataclass
class Saved:
    """A Prometheus whose backups are being made, at first behind a slow network."""

    pods: Pods
    prometheus: Prometheus
    storage: Storage
    slow: Slow

    def pod(self, host: str, port: int) -> AbstractContextManager[FirstProcess]:
        """Run what saves it."""
        storage = f"s3:http://127.0.0.1:{port}/{BUCKET}"
        environment = {"PROMETHEUS_DATA": str(self.prometheus.data), "BACKUP_STORAGE": storage}
        return self.pods.pod(RUN_PROMETHEUS, host, environment)

    def saving(self) -> bool:
        """Return whether it is in the middle of a backup: locked, with data on its way."""
        return bool((self.prometheus.data / ".backup").exists() and self.locks() and self.slow.sent > 300_000)

    def checking(self, pod: FirstProcess) -> bool:
        """Return whether it is past the backup, and has the repository for itself."""
        return any(" forget " in line or " check " in line for line in pod.runs()) and bool(self.locks())

    def locks(self) -> list[str]:
        return self.storage.keys(LOCKS)

    def caught_up(self, host: str, tmp_path: Path) -> None:
        """Run the next pod, over a network as it should be, until all is well; then see that what is saved is whole."""
        began = time.monotonic()
        with self.pod(host, STORAGE_PORT) as pod:
            wanted = {'backup_failing{part="prometheus"}': 0, 'backup_check_failing{part="prometheus"}': 0}
            pod.until(lambda: metrics().items() >= wanted.items())
            print(f"\n  caught up and checked {time.monotonic() - began:.1f} s after the next start")
            assert "error" not in pod.said()
            pod.stop(ASKED_TO_STOP)
        assert self.locks() == []
        environment = {**self.pods.environment, "PROMETHEUS_DATA": str(tmp_path / "restored")}
        (tmp_path / "restored").mkdir()
        one = program.backup("prometheus", environment)
        assert isinstance(one, SavedByRestic)
        one._repository.check("1/1")
        list(one.restore(one.snapshots()[-1], overwrite=False))
        assert files(tmp_path / "restored") == files(self.prometheus.data)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def saved(pods: Pods, prometheus: Prometheus, storage: Storage, slow: Slow) -> Saved:
    prometheus.fill(BEGIN, 24, series=200)
    return Saved(pods, prometheus, storage, slow)


def test_a_restic_that_is_told_to_stop_gives_its_lock_back(saved: Saved, tmp_path: Path) -> None:
    with saved.pod("prometheus-0", saved.slow.server_address[1]) as pod:
        pod.until(saved.saving)
        pod.stop(ASKED_TO_STOP)
    assert saved.locks() == []
    assert not (saved.prometheus.data / ".backup").exists()
    # So that a pod of another name, for which a lock of another host is somebody's, is not kept waiting.
    saved.caught_up("prometheus-0-elsewhere", tmp_path)


@pytest.mark.parametrize("while_", ["saving", "checking"])
def test_a_pod_that_was_killed_is_caught_up_at_once(saved: Saved, tmp_path: Path, while_: str) -> None:
    """Also where it had the repository for itself, as for a check: restic waits for the end of that one."""
    with saved.pod("prometheus-0", saved.slow.server_address[1]) as pod:
        if while_ == "checking":
            saved.slow.pause = 0.01
        pod.until(saved.saving if while_ == "saving" else lambda: saved.checking(pod))
        pod.tell(signal.SIGKILL)
    assert saved.locks(), "it was over before it could be killed"
    saved.caught_up("prometheus-0", tmp_path)


def lock(storage: Storage, environment: dict[str, str], host: str, minutes: float) -> str:
    """Leave the lock of a restic that had the repository for itself on another host; return its key in the bucket."""
    url = f"{environment['BACKUP_STORAGE']}/prometheus/prometheus-0"
    command = ["restic", "--no-lock", "cat", "masterkey"]
    shown = subprocess.run(command, env={**environment, "RESTIC_REPOSITORY": url}, capture_output=True, check=True)
    keys = json.loads(shown.stdout)
    encrypt, mac_k, mac_r = map(base64.b64decode, (keys["encrypt"], keys["mac"]["k"], keys["mac"]["r"]))
    made = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()
    text = json.dumps({"time": made, "exclusive": True, "hostname": host, "username": "", "pid": 4711}).encode()
    # As restic does it: AES in counter mode, and Poly1305-AES of what came of it.
    nonce = os.urandom(16)
    sealed = Cipher(algorithms.AES(encrypt), modes.CTR(nonce)).encryptor().update(text)
    pad = Cipher(algorithms.AES(mac_k), modes.ECB()).encryptor().update(nonce)  # noqa: S305 - of a single block
    content = nonce + sealed + Poly1305.generate_tag(mac_r + pad, sealed)
    key = f"{LOCKS}{hashlib.sha256(content).hexdigest()}"
    storage.client.put_object(Bucket=BUCKET, Key=key, Body=content)
    return key


def test_a_lock_of_a_pod_that_is_no_more_holds_for_half_an_hour_at_most(
    storage: Storage, prometheus: Prometheus, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pod of a Deployment has another name each time: restic takes the lock of an unknown host for somebody's."""
    monkeypatch.setattr(repository, "RETRY_LOCK", "1s")
    prometheus.fill(BEGIN, 4)
    one = program.backup("prometheus", {**environment, "PROMETHEUS_DATA": str(prometheus.data)})
    one.save()
    old = lock(storage, environment, "gone", minutes=31)
    one.check()
    assert old not in storage.keys(LOCKS)
    young = lock(storage, environment, "another", minutes=10)
    with pytest.raises(BackupError, match="already locked exclusively by PID 4711 on another"):
        one.save()
    assert storage.keys(LOCKS) == [young]
