"""What people were told by the stack on a live cluster: what arrived at its pod `internet`."""

import json
from typing import Any

from sandbox.live import internet
from tests.sandbox.conftest import Api


def messages(api: Api) -> list[dict[str, Any]]:
    """Return what arrived, the oldest first: mails with `mail` (the subject), `to`, `text` and `login`.

    And calls of webhooks with `webhook` (the URL) and `body`.
    """
    (pod,) = api.get(f"/api/v1/namespaces/{internet.NAME}/pods")["items"]
    log = api.core.read_namespaced_pod_log(pod["metadata"]["name"], internet.NAME)
    return [json.loads(line) for line in log.splitlines() if line.startswith("{")]


def mails(api: Api, subject: str) -> list[dict[str, Any]]:
    """Return the mails in whose subject this is."""
    return [message for message in messages(api) if subject in message.get("mail", "")]
