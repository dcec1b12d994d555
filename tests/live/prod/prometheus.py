"""Asks one of the two Prometheus of the stack `prod` on a live cluster, in its pod."""

import json
from typing import Any

from tests.live.asking import execute
from tests.sandbox.conftest import Project


def answer(project: Project, expression: str, pod: str = "prometheus-0") -> str | None:
    """Return the value of an expression's first series now, if it has any."""
    login = "--http.config.file=/etc/prometheus/web/client.yml"
    command = ["promtool", "query", "instant", "-o", "json", login, "http://127.0.0.1:9090", expression]
    found: list[Any] = json.loads(execute(project, pod, *command, container="readiness"))
    return str(found[0]["value"][1]) if found else None
