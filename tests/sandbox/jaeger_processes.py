"""The programs of Jaeger's pods as processes: the same arguments, environment and files, but on loopback."""

import contextlib
import http.client
import json
import os
import subprocess
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sandbox.program_pins import JAEGER_COLLECTOR, JAEGER_INDEX_CLEANER, JAEGER_QUERY
from tests.sandbox import jaeger
from tests.sandbox.conftest import Api

OTLP, QUERY, ADMIN = 28480, 28481, {"collector": 28482, "query": 28483}
START_SECONDS, REQUEST_SECONDS = 30, 10
PROGRAMS = {"collector": JAEGER_COLLECTOR, "query": JAEGER_QUERY, "es-index-cleaner": JAEGER_INDEX_CLEANER}
# Where each would listen on all addresses of the machine.
LISTENERS = {
    "collector": {"collector.grpc-server": 28484, "collector.http-server": 28485, "collector.otlp.grpc": 28486}
    | {"collector.otlp.http": OTLP},
    "query": {"query.grpc-server": 28487, "query.http-server": QUERY},
}


@dataclass(frozen=True)
class Container:
    """What the operator has put into a container; its files lie in a folder."""

    part: str
    arguments: tuple[str, ...]
    environment: dict[str, str]

    @contextlib.contextmanager
    def running(self, log: Path, more: Sequence[str] = ()) -> Iterator["subprocess.Popen[bytes]"]:
        """Run the program until it answers, and end it afterwards.

        Args:
            log: where it writes to.
            more: further arguments, which win.

        Raises:
            AssertionError: it ended by itself, or does not become ready; with the end of its log.
        """
        listeners = [f"--{name}.host-port=127.0.0.1:{port}" for name, port in LISTENERS[self.part].items()]
        admin = f"--admin.http.host-port=127.0.0.1:{ADMIN[self.part]}"
        command = [str(PROGRAMS[self.part].path), *self.arguments, *listeners, admin, *more]
        with log.open("ab") as output:
            process = subprocess.Popen(command, env=self.environment, stdout=output, stderr=output)
        try:
            deadline = time.monotonic() + START_SECONDS
            while not _is_ready(ADMIN[self.part]):
                late = process.poll() is not None or time.monotonic() > deadline
                assert not late, f"{self.part} does not start:\n{log.read_text()[-1500:]}"
                time.sleep(0.1)
            yield process
        finally:
            # It waits for its storage when it is asked to end.
            process.kill()
            process.wait()

    def run(self) -> str:
        """Run the program to its end, and return what it wrote.

        Raises:
            AssertionError: it fails; with what it wrote.
        """
        command = [str(PROGRAMS[self.part].path), *self.arguments]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=START_SECONDS, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stderr


def container(api: Api, part: str, folder: Path, storage: str) -> Container:
    """Return the container of `collector`, `query` or `es-index-cleaner`.

    Args:
        api: of the cluster in which the operator has made its workload.
        part: which of them.
        folder: where its files are put.
        storage: URL of the index that takes the place of the Elasticsearch.
    """
    pod = jaeger.pod_of(api, part)
    (found,) = pod["containers"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    arguments: list[str] = found["args"]
    variables = {each["name"]: each.get("value", "") for each in found["env"] if not each["name"].endswith("HOST_PORT")}
    for mount in found["volumeMounts"]:
        _write(api, volumes[mount["name"]], folder / mount["name"])
        inside, here = f"{mount['mountPath']}/", f"{folder / mount['name']}/"
        arguments = [each.replace(inside, here) for each in arguments]
        variables = {name: value.replace(inside, here) for name, value in variables.items()}
    assert len([each for each in arguments if each.endswith(jaeger.STORAGE)]) == 1
    arguments = [each.replace(jaeger.STORAGE, storage) for each in arguments]
    for source in found["envFrom"]:
        variables |= api.secret(source["secretRef"]["name"])
    return Container(part, tuple(arguments), {"PATH": os.environ["PATH"], **variables})


def _write(api: Api, volume: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True)
    if "secret" in volume:
        data = api.secret(volume["secret"]["secretName"])
        files = {key: key for key in data}
    else:
        data = api.config_map(volume["configMap"]["name"])
        files = {item["key"]: item["path"] for item in volume["configMap"]["items"]}
    for key, path in files.items():
        (folder / path).write_text(data[key])


def _is_ready(port: int) -> bool:
    with contextlib.suppress(OSError, http.client.HTTPException):
        return _ask(port, "GET", "/")[0] == 200
    return False


def _ask(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_SECONDS)
    with contextlib.closing(connection):
        connection.request(method, path, body, {"Content-Type": "application/x-protobuf"} if body else {})
        answer = connection.getresponse()
        return answer.status, answer.read()


def send(spans: int, age_hours: int = 0) -> tuple[int, str]:
    """Send one trace to the collector by OTLP, and return the status of the answer and the trace's id.

    Args:
        spans: how many the trace has.
        age_hours: how long ago they ended.
    """
    request, trace, now = ExportTraceServiceRequest(), os.urandom(16), time.time_ns() - age_hours * 3_600 * 10**9
    resource = request.resource_spans.add()
    name = resource.resource.attributes.add()
    name.key, name.value.string_value = "service.name", "mangakai-backend"
    scope = resource.scope_spans.add()
    for number in range(spans):
        span = scope.spans.add(
            trace_id=trace,
            span_id=os.urandom(8),
            name=f"span {number}",
            start_time_unix_nano=now - 5_000_000,
            end_time_unix_nano=now,
        )
        attribute = span.attributes.add()
        attribute.key, attribute.value.string_value = "http.route", "/api/manga/{id}"
    return _ask(OTLP, "POST", "/v1/traces", request.SerializeToString())[0], trace.hex()


def found(trace: str) -> list[dict[str, Any]]:
    """Return the spans of a trace, as the query service answers."""
    status, answer = _ask(QUERY, "GET", f"/api/traces/{trace}")
    spans: list[dict[str, Any]] = json.loads(answer)["data"][0]["spans"] if status == 200 else []
    return spans


def process(trace: str) -> dict[str, Any]:
    """Return what the process of a trace's first span says of itself, as the query service answers."""
    (found, *_) = json.loads(_ask(QUERY, "GET", f"/api/traces/{trace}")[1])["data"]
    tags = found["processes"][found["spans"][0]["processID"]]["tags"]
    return {tag["key"]: tag["value"] for tag in tags}


def services() -> list[str]:
    """Return the names of the services that have sent spans, as the query service answers."""
    return list(json.loads(_ask(QUERY, "GET", "/api/services")[1])["data"] or [])


def sampling() -> float:
    """Return the share of requests that the collector tells whoever asks it to trace."""
    status, answer = _ask(LISTENERS["collector"]["collector.http-server"], "GET", "/api/sampling?service=any")
    assert status == 200, answer
    return float(json.loads(answer)["probabilisticSampling"]["samplingRate"])


def search(service: str, operation: str) -> list[str]:
    """Return the ids of the newest traces with an operation of a service, as the query service answers."""
    query = urllib.parse.urlencode({"service": service, "operation": operation, "lookback": "1h", "limit": 100})
    return [trace["traceID"] for trace in json.loads(_ask(QUERY, "GET", f"/api/traces?{query}")[1])["data"]]


def metrics(part: str) -> str:
    """Return what Prometheus scrapes of `collector` or `query`."""
    return _ask(ADMIN[part], "GET", "/metrics")[1].decode()
