"""Asks the Elasticsearch of the logs, and Kibana, on a live cluster."""

import json
import re
from typing import Any
from urllib.parse import quote

import urllib3

from tests.live.asking import execute
from tests.sandbox.conftest import Api, Project


def elastic(api: Api) -> tuple[str, str]:
    """Return the login that Elastic's operator makes."""
    return ("elastic", api.secret("mangakai-logs-es-elastic-user")["elastic"])


def as_kibana(api: Api) -> urllib3.PoolManager:
    """Return connections to who is called Kibana by the authority of Elastic's operator."""
    authority = api.secret("kibana-kb-http-certs-public")["ca.crt"]
    return urllib3.PoolManager(ca_cert_data=authority, assert_hostname="kibana-kb-http.monitoring.svc")


def documents(project: Project, api: Api, text: str) -> int:
    """Return how many lines with this text are in the indices of the logs, those restored from a backup too."""
    found = of_logs(project, api, f"_count?q={quote(f'message:{text}')}")
    return int(found.get("count", 0))


def numbers(project: Project, api: Api) -> set[int]:
    """Return the numbers of the application's lines that are in the indices of the logs (at most 10 000 of them)."""
    found = of_logs(project, api, f"_search?size=10000&_source=message&q={quote('message:canary')}")
    messages = [one["_source"]["message"] for one in found.get("hits", {}).get("hits", [])]
    return {int(number) for message in messages for number in re.findall(r"canary (\d+)", message)}


def of_logs(project: Project, api: Api, path: str) -> Any:
    """Return what Elasticsearch answers about the indices of the logs."""
    url = f"https://localhost:9200/mangakai-logs*/{path}"
    login = ":".join(elastic(api))
    return json.loads(execute(project, "mangakai-logs-es-default-0", "curl", "-sk", "-u", login, url))
