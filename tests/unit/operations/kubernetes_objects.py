"""Objects as the API server's JSON has them, for tests of what reads them."""

from datetime import UTC, datetime, timedelta
from typing import Any

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def ago(**duration: float) -> str:
    return (NOW - timedelta(**duration)).isoformat().replace("+00:00", "Z")


def thing(name: str, age_minutes: float = 60, **rest: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "mangakai-prod", "creationTimestamp": ago(minutes=age_minutes)}
    return {"metadata": metadata | rest.pop("metadata", {}), "spec": {}, "status": {}, **rest}


def pod(phase: str = "Running", ready: bool = True, age_minutes: float = 60, **status: Any) -> dict[str, Any]:
    condition = {
        "type": "Ready",
        "status": "True" if ready else "False",
        "lastTransitionTime": ago(minutes=age_minutes),
    }
    return thing("backend-1", age_minutes, status={"phase": phase, "conditions": [condition], **status})


def container(state: dict[str, Any], restarts: int = 0, died: dict[str, Any] | None = None) -> dict[str, Any]:
    last = {"terminated": died} if died else {}
    return {
        "name": "web",
        "image": "mangakai:1",
        "ready": False,
        "restartCount": restarts,
        "state": state,
        "lastState": last,
    }
