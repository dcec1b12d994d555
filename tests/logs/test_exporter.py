"""What Prometheus hears of an Elasticsearch: the exporter, as its pod starts it, in front of a node."""

import base64
import contextlib
import http.server
import json
import os
import re
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from prometheus_client.parser import text_string_to_metric_families

from components.elastic import exporter
from components.elastic.connection import ElasticsearchConnection, ca_secret, url, user_secret
from components.foundation.certificate import derived
from sandbox.build import ensure
from sandbox.program_pins import ELASTICSEARCH_EXPORTER
from tests.catalogue.catalogue import CATALOGUE, scraped
from tests.logs.opensearch import Node
from tests.serving import serving

PORT = 29114
ANSWERED = "elasticsearch_scrape_success", frozenset({("collector", "cluster-info")})
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def container() -> dict[str, Any]:
    cluster = "mangakai-logs"
    login = user_secret(cluster, "grafana")
    connection = ElasticsearchConnection(
        cluster=cluster,
        version="9.5.3",
        url=url(cluster, "monitoring"),
        ca_secret=ca_secret(cluster),
        username="grafana",
        password=Mock(),
        user_secret=login,
        nodes=3,
    )
    (only,) = exporter._pod(connection)["containers"]
    return dict(only)


@contextlib.contextmanager
def running(address: str, authority: Path, folder: Path) -> Iterator[None]:
    """Run the exporter by the arguments of its pod, but for the address and the authority of the cluster."""
    ensure([ELASTICSEARCH_EXPORTER])
    instead = {"--es.uri": address, "--es.ca": str(authority)}
    names = [argument.partition("=")[0] for argument in container()["args"]]
    assert set(instead) <= set(names)
    arguments = [
        f"{name}={instead[name]}" if name in instead else argument
        for name, argument in zip(names, container()["args"], strict=True)
    ]
    login = {"ES_USERNAME": "metrics", "ES_PASSWORD": "a-password"}
    assert login.keys() == {variable["name"] for variable in container()["env"]}
    command = [str(ELASTICSEARCH_EXPORTER.path), f"--web.listen-address=127.0.0.1:{PORT}", *arguments]
    with (folder / "exporter.log").open("w") as log:
        process = subprocess.Popen(command, env=os.environ | login, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 20
            while not answers(container()["readinessProbe"]["httpGet"]["path"]):
                assert process.poll() is None, (folder / "exporter.log").read_text()
                assert time.monotonic() < deadline, "it does not become ready"
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            process.wait(10)


def answers(path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}{path}", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def samples() -> Samples:
    """Return what a scrape stores: without the labels that the job drops."""
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=20) as answer:
        text = answer.read().decode()
    (rule,) = scraped()["elasticsearch"]["metric_relabel_configs"]
    assert rule["action"] == "labeldrop"
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            # The parser calls every counter …_total, these do not.
            name = sample.name if f"\n{sample.name}{{" in text else family.name
            kept = {label: value for label, value in sample.labels.items() if not re.fullmatch(rule["regex"], label)}
            found[name, frozenset(kept.items())] = sample.value
    return found


def health(found: Samples) -> list[str]:
    """Return the colours that a cluster has."""
    return [
        dict(labels)["color"]
        for (name, labels), value in found.items()
        if name == "elasticsearch_cluster_health_status" and value == 1
    ]


@pytest.mark.requirement("S-067")
def test_it_tells_what_the_catalogue_says(node: Node, tmp_path: Path) -> None:
    with running(node.url, Path("/dev/null"), tmp_path):
        found = samples()
    told: dict[str, set[frozenset[str]]] = {}
    for name, labels in found:
        told.setdefault(name, set()).add(frozenset(label for label, _ in labels))
    for name, labels in CATALOGUE["jobs"]["elasticsearch"]["metrics"].items():
        assert told.get(name) == {frozenset(labels)}, name
    assert found[ANSWERED] == 1
    rejected = "elasticsearch_thread_pool_rejected_count"
    assert [dict(labels)["type"] for name, labels in found if name == rejected].count("write") == 1
    used = "elasticsearch_jvm_memory_used_bytes"
    assert "heap" in {dict(labels)["area"] for name, labels in found if name == used}
    print(f"\n{len(found)} series of a node")


def test_it_tells_missing_copies_from_missing_data(node: Node, tmp_path: Path) -> None:
    nowhere = {"index.routing.allocation.require._name": "no-such-node"}
    with running(node.url, Path("/dev/null"), tmp_path):
        try:
            node.ask("PUT", "/exporter-yellow", {"settings": {"index.number_of_replicas": 1}})
            assert health(samples()) == ["yellow"]
            node.ask("PUT", "/exporter-red?wait_for_active_shards=0&timeout=1s", {"settings": nowhere})
            assert health(samples()) == ["red"]
        finally:
            for index in ("yellow", "red"):
                node.call("DELETE", f"/exporter-{index}")


def test_a_cluster_that_is_away_is_told_and_has_no_colour(tmp_path: Path) -> None:
    with running("http://127.0.0.1:1", Path("/dev/null"), tmp_path):
        found = samples()
    assert found[ANSWERED] == 0
    assert health(found) == []


def test_it_logs_in_and_checks_who_answers(tmp_path: Path) -> None:
    logins = []

    class Cluster(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            logins.append(self.headers["Authorization"])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"cluster_name": "c", "version": {"number": "9.5.3"}}).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    for host, name in (("localhost", "right"), ("another", "wrong")):
        for file, text in derived(name, host).items():
            (tmp_path / f"{name}-{file}").write_text(text)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "right-tls.crt", tmp_path / "right-tls.key")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Cluster)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(server) as port:
        for name, is_trusted in (("right", 1), ("wrong", 0)):
            with running(f"https://localhost:{port}", tmp_path / f"{name}-ca.crt", tmp_path):
                assert samples()[ANSWERED] == is_trusted
    assert set(logins) == {f"Basic {base64.b64encode(b'metrics:a-password').decode()}"}
