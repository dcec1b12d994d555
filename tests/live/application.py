"""The application, as far as the monitoring of a live cluster sees it: a pod that logs and sends a trace."""

import json
import time
from typing import Any

from components.foundation.set_up_job import IMAGE
from tests.live.asking import execute, until, unwell
from tests.sandbox.conftest import Api, Project

NAMESPACE = "mangakai-prod"
TRACE = "5b8aa5a2d2c872e8321cf37308d69df2"
SPAN = {
    "traceId": TRACE,
    "spanId": "051581bf3cb55c13",
    "name": "draw",
    "kind": 1,
    "startTimeUnixNano": str(time.time_ns()),
    "endTimeUnixNano": str(time.time_ns() + 10**9),
}


def start_application(api: Api) -> str:
    """Start a pod whose first process logs one line a second, in the guide's form, and return its name."""
    program = """
import logging, sys, time
form = "%(asctime)s %(levelname)s [%(name)s] %(message)s"
logging.basicConfig(format=form, level="INFO", stream=sys.stdout)
number = 0
while True:
    number += 1
    logging.getLogger("mangakai").info("canary %d", number)
    time.sleep(1)
"""
    container = {"name": "backend", "image": IMAGE, "command": ["python", "-c", program]}
    pod: Any = {
        "metadata": {"name": "canary", "labels": {"app": "mangakai-backend"}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }
    api.core.create_namespaced_pod("mangakai-prod", pod)
    until(lambda: not unwell(api.get("/api/v1/namespaces/mangakai-prod/pods/canary")), 60, "the application's pod")
    return "canary"


def last_number(api: Api) -> int:
    """Return the number of the line that the application logged last."""
    log = api.core.read_namespaced_pod_log("canary", NAMESPACE, tail_lines=1)
    return int(log.split()[-1])


def trace() -> str:
    """Return a trace of one span, as OTLP has it in JSON."""
    service = {"attributes": [{"key": "service.name", "value": {"stringValue": "mangakai-live"}}]}
    return json.dumps({"resourceSpans": [{"resource": service, "scopeSpans": [{"spans": [SPAN]}]}]})


def send_trace(project: Project, pod: str, endpoint: str) -> None:
    """Send a span to the endpoint that the stack gives, from a pod of the application."""
    program = f"""
import urllib.request
request = urllib.request.Request("{endpoint}/v1/traces", {trace().encode()!r}, {{"Content-Type": "application/json"}})
print(urllib.request.urlopen(request, timeout=10).status)
"""
    assert execute(project, pod, "python", "-c", program, namespace=NAMESPACE) == "200\n"
