"""Reads what lies at a path of the cluster's API, before there is a provider."""

import http.client
import json
from typing import Any

from kubernetes import client as api
from urllib3.exceptions import HTTPError

_TIMEOUT = 30.0  # seconds


class NotAllowedError(Exception):
    """This user may not read something; the message says what."""


def read(client: api.ApiClient, path: str) -> dict[str, Any] | None:
    """Return the object at a path of the API, or None if there is none.

    Raises:
        NotAllowedError: this user may not read it.
        HTTPError: the cluster does not answer, or not to this user.
    """
    # By its path: the client's own methods import a model of all that Kubernetes has, which takes longer than the rest.
    request = client.param_serialize("GET", path, auth_settings=["BearerToken"])
    answer = client.call_api(*request, _request_timeout=_TIMEOUT)
    body = answer.read()  # type: ignore[no-untyped-call]
    match answer.status:
        case http.client.OK:
            return dict(json.loads(body))
        case http.client.NOT_FOUND:
            return None
        case http.client.FORBIDDEN:
            raise NotAllowedError(f"not allowed to read {path} on the cluster")
    raise HTTPError(f"{answer.status} {answer.reason}")
