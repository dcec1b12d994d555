"""The API server of a cluster: each answer within a time limit, each failure in words with its remedy."""

import http.client
import json
import os
import re
from typing import Any

from kubernetes import client as api
from kubernetes import config as kubeconfig
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException
from kubernetes.stream import portforward
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ReadTimeoutError

# A Kubernetes object, as the API server's JSON has it.
Object = dict[str, Any]

_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class Unreadable(Exception):  # noqa: N818  it is no error of ours
    """Something could not be looked at; the message says why, `remedy` what to do."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(why)
        self.remedy = remedy


class Missing(Unreadable):
    """The API server does not know it."""


def late(timeout: float, remedy: str) -> Unreadable:
    """Return what is said of an answer that did not come in time."""
    return Unreadable(f"no answer within {timeout:g} s", remedy)


class Cluster:
    """The API server of a context of the kubeconfig.

    Args:
        context: its name.
        timeout: the seconds that an answer may take.
        when_late: what to do about one that takes longer.

    Raises:
        Unreadable: the kubeconfig's login does not work.
    """

    def __init__(
        self, context: str, timeout: float, when_late: str = "try again when the cluster is less busy"
    ) -> None:
        self.timeout, self._when_late = timeout, when_late
        configuration = api.Configuration()
        configuration.retries = False  # each try would have the whole time limit
        configuration.connection_pool_maxsize = 100  # all checks ask at once
        try:
            # Else a login that was renewed would be written into the user's kubeconfig.
            self._client: api.ApiClient = kubeconfig.new_client_from_config(  # type: ignore[no-untyped-call]
                os.environ.get("KUBECONFIG") or None,
                context,
                persist_config=False,
                client_configuration=configuration,
            )
        except ConfigException as error:
            raise Unreadable(f"context {context!r} does not work: {error}", "log in to the cluster again") from error

    def get(self, path: str, **query: str) -> Any:
        """Return what lies at a path of the API.

        Raises:
            Unreadable: why it does not.
        """
        return json.loads(self._read(path, "application/json", query))

    def items(self, kind: str, namespace: str, group: str = "v1", **query: str) -> list[Object]:
        """Return the objects of a kind in a namespace."""
        return self.get(_path(kind, namespace, group), **query)["items"] or []

    def metadata(self, kind: str, namespace: str, group: str = "v1", **query: str) -> list[Object]:
        """Return the same with nothing but their metadata: what they hold never leaves the cluster."""
        return json.loads(self._read(_path(kind, namespace, group), _METADATA, query))["items"] or []

    def text(self, path: str, **query: str) -> str:
        """Return what lies at a path that is no JSON, such as a log."""
        return self._read(path, "*/*", query).decode(errors="replace")

    def _read(self, path: str, accept: str, query: dict[str, str]) -> bytes:
        status, body = self.answer("GET", path, {"Accept": accept}, query)
        if status != http.client.OK:
            raise _refused(status)
        return body

    def answer(
        self, method: str, path: str, headers: dict[str, str], query: dict[str, str] | None = None, body: Any = None
    ) -> tuple[int, bytes]:
        """Return the status and the body of an answer, whatever they say.

        Args:
            method: of the request.
            path: of the API.
            headers: of the request.
            query: of the request.
            body: an object, sent as JSON, or what is sent as it is.

        Raises:
            Unreadable: there is no answer.
        """
        request = self._client.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            answer = self._client.call_api(*request, _request_timeout=self.timeout)
            return answer.status, answer.read()  # type: ignore[no-untyped-call]
        except NewConnectionError as error:
            raise self._unreachable(str(error)) from error
        except (ConnectTimeoutError, ReadTimeoutError) as error:
            raise late(self.timeout, self._when_late) from error
        except (ApiException, HTTPError) as error:
            raise self._unreachable(getattr(error, "reason", None) or str(error)) from error

    def _unreachable(self, reason: str) -> Unreadable:
        host = self._client.configuration.host
        return Unreadable(
            f"the API server {host} cannot be reached: {reason}",
            "check that it runs and that your network or VPN leads there (the sandbox: make up)",
        )

    def ask(self, pod: Object, port: int, path: str, login: str = "", body: str = "") -> tuple[int, str]:
        """Return the status and the text that a pod answers to an HTTP request, through a port-forward.

        Args:
            pod: which.
            port: where it listens.
            path: with its query.
            login: the header Authorization.
            body: JSON to be posted, "" for a GET.

        Raises:
            Unreadable: it does not answer.
        """
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        remedy = f"kubectl -n {namespace} logs {name} --all-containers --tail=50 (on the sandbox containers do not run)"
        # `portforward` bends its client while it connects, and other threads use ours.
        core = api.CoreV1Api(api.ApiClient(self._client.configuration))
        connect = core.connect_get_namespaced_pod_portforward
        try:
            forward: Any = portforward(connect, name, namespace, ports=str(port))
        except ApiException as error:
            status = re.search(r"Handshake status (\d+)", str(error.reason))
            unreadable = _refused(int(status[1])) if status else Unreadable(f"no port-forward: {error.reason}", remedy)
            raise unreadable from error
        connection = http.client.HTTPConnection("localhost", port)
        connection.sock = forward.socket(port)
        connection.sock.settimeout(self.timeout)
        try:
            headers = {"Authorization": login} if login else {}
            if body:
                connection.request("POST", path, body.encode(), {**headers, "Content-Type": "application/json"})
            else:
                connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise Unreadable(forward.error(port) or f"port {port} does not answer: {error}", remedy) from error
        finally:
            connection.close()


def _path(kind: str, namespace: str, group: str) -> str:
    return f"/{'api' if group == 'v1' else 'apis'}/{group}/namespaces/{namespace}/{kind}"


def _refused(status: int) -> Unreadable:
    match status:
        case 401:
            return Unreadable("the API server does not accept your login (401)", "log in to the cluster again")
        case 403:
            return Unreadable("forbidden (403)", "have the rights in docs/troubleshooting.md given to you")
        case 404:
            return Missing("the API server knows no such thing (404)", "see what is missing: pulumi preview --diff")
    return Unreadable(f"the API server answers {status}", "try again; if it lasts, look at the control plane")
