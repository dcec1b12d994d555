"""Stands in for the API server and the kubelets: `exec` runs the program here, with the environment of that pod."""

import asyncio
import contextlib
import http
import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from components.foundation.certificate import self_signed

STDIN, STDOUT, STDERR, STATUS = b"\x00", b"\x01", b"\x02", b"\x03"


def pod(
    name: str, label: str, phase: str = "Running", containers: tuple[str, ...] = ("main", "backup")
) -> dict[str, Any]:
    """Return a pod as the API server lists it."""
    return {
        "metadata": {"name": name, "namespace": "monitoring", "labels": {"app.kubernetes.io/name": label}},
        "spec": {"containers": [{"name": each, "image": f"registry.example.com/{each}:1"} for each in containers]},
        "status": {"phase": phase},
    }


class ApiServer:
    """Lists pods, and runs commands of the container `backup`.

    Args:
        port: on 127.0.0.1.
        pods: what there is.
        environments: what the program reads, by pod.
    """

    def __init__(self, port: int, pods: list[dict[str, Any]], environments: Mapping[str, Mapping[str, str]]) -> None:
        self._port, self.pods, self._environments = port, pods, environments
        self.url = f"https://127.0.0.1:{port}"

    def kubeconfig(self, folder: Path, context: str) -> Path:
        """Write a kubeconfig that leads here, and return its path."""
        file = folder / "kubeconfig"
        cluster = {"name": "c", "cluster": {"server": self.url, "insecure-skip-tls-verify": True}}
        contexts = [{"name": context, "context": {"cluster": "c", "user": "u"}}]
        users = [{"name": "u", "user": {}}]
        text = {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "contexts": contexts, "users": users}
        file.write_text(yaml.safe_dump(text))
        return file

    @contextlib.contextmanager
    def running(self, folder: Path) -> Iterator[None]:
        """Serve until the context ends; the certificate is written to `folder`."""
        for file, text in self_signed("localhost").items():
            (folder / file).write_text(text)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(folder / "tls.crt", folder / "tls.key")
        loop, ready = asyncio.new_event_loop(), threading.Event()
        stop = asyncio.Event()

        async def main() -> None:
            protocols = [Subprotocol("v4.channel.k8s.io")]
            async with serve(
                self._exec, "127.0.0.1", self._port, subprotocols=protocols, process_request=self._plain, ssl=tls
            ):
                ready.set()
                await stop.wait()

        thread = threading.Thread(target=loop.run_until_complete, args=(main(),))
        thread.start()
        ready.wait(10)
        try:
            yield
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join()
            loop.close()

    def _plain(self, _: ServerConnection, request: Request) -> Response | None:
        """Answer what is no `exec`."""
        if "Upgrade" in request.headers:
            return None
        wanted = parse_qs(urlsplit(request.path).query).get("labelSelector", ["="])[0].partition("=")[2]
        items = [each for each in self.pods if wanted in ("", each["metadata"]["labels"]["app.kubernetes.io/name"])]
        body = json.dumps({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items}).encode()
        headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body))})
        return Response(http.HTTPStatus.OK, "OK", headers, body)

    async def _exec(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        url = urlsplit(connection.request.path)
        query = parse_qs(url.query)
        name = url.path.split("/")[-2]
        assert query["container"] == ["backup"]
        python, *command = query["command"]
        assert python == "python"
        line = b""
        if "stdin" in query and query["stdin"][0].lower() == "true":
            message = await connection.recv()
            line = (message.encode() if isinstance(message, str) else message).removeprefix(STDIN)
        done = await asyncio.to_thread(self._run, name, command, line)
        outputs = {STDOUT: done.stdout, STDERR: done.stderr}
        for channel, content in outputs.items():
            if content:
                await connection.send(channel + content)
        status = done.returncode
        ended: dict[str, Any] = {"status": "Success"}
        if status:
            causes = [{"reason": "ExitCode", "message": str(status)}]
            ended = {"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": causes}}
        await connection.send(STATUS + json.dumps(ended).encode())
        await connection.close()

    def _run(self, name: str, command: list[str], line: bytes) -> "subprocess.CompletedProcess[bytes]":
        environment = dict(self._environments[name])
        program = [sys.executable, *command]
        return subprocess.run(program, env=environment, input=line, capture_output=True, check=False)
