"""The stack `local` on the live cluster, as tests ask it from outside."""

import json
import time
from urllib.parse import quote

import urllib3

from tests.live.asking import execute
from tests.sandbox.conftest import CANARIES, Api, Project

PROMETHEUS, ALERTMANAGER, GRAFANA = "http://localhost:9090", "http://localhost:9093", "http://localhost:3000"
KIBANA, JAEGER = "https://localhost:5601", "http://localhost:16686"
ADMIN = ("admin", CANARIES["grafanaAdminPassword"])
TRACE = "5b8aa5a2d2c872e8321cf37308d69df2"
SPAN = {
    "traceId": TRACE,
    "spanId": "051581bf3cb55c13",
    "name": "draw",
    "kind": 1,
    "startTimeUnixNano": str(time.time_ns()),
    "endTimeUnixNano": str(time.time_ns() + 10**9),
}


def elastic(api: Api) -> tuple[str, str]:
    return ("elastic", api.secret("mangakai-logs-es-elastic-user")["elastic"])


def as_kibana(api: Api) -> urllib3.PoolManager:
    """Return connections to who is called Kibana by the authority of Elastic's operator."""
    authority = api.secret("kibana-kb-http-certs-public")["ca.crt"]
    return urllib3.PoolManager(ca_cert_data=authority, assert_hostname="kibana-kb-http.monitoring.svc")


def documents(project: Project, api: Api, text: str) -> int:
    """Return how many lines with this text are in the index of the logs."""
    url = f"https://localhost:9200/mangakai-logs/_count?q={quote(f'message:{text}')}"
    login = ":".join(elastic(api))
    answer = json.loads(execute(project, "mangakai-logs-es-default-0", "curl", "-sk", "-u", login, url))
    return int(answer.get("count", 0))


def send_trace(project: Project, pod: str, endpoint: str) -> None:
    """Send a span to the endpoint that the stack gives, from a pod of the application."""
    service = {"attributes": [{"key": "service.name", "value": {"stringValue": "mangakai-live"}}]}
    body = json.dumps({"resourceSpans": [{"resource": service, "scopeSpans": [{"spans": [SPAN]}]}]})
    program = f"""
import urllib.request
request = urllib.request.Request("{endpoint}/v1/traces", {body.encode()!r}, {{"Content-Type": "application/json"}})
print(urllib.request.urlopen(request, timeout=10).status)
"""
    assert execute(project, pod, "python", "-c", program, namespace="mangakai-prod") == "200\n"
