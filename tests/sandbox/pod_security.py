"""What pods may do, asked of the API server: each template at the level `restricted`, and each container's root."""

import json
from collections.abc import Iterator
from typing import Any

from kubernetes.client import ApiException

from components.foundation.names import AGENTS, MONITORING
from components.foundation.pod_security import RESTRICTED
from development.workload_rules.finding import Broken, Excuse
from development.workload_rules.templates import Template, templates
from tests.sandbox.conftest import Api
from tests.sandbox.workloads import objects

_NAMESPACE = "restricted"
_VIOLATED = 'violates PodSecurity "restricted:latest": '
_OF_THE_NODE = "reads the node itself, for which there is a namespace of its own"
EXCEPTIONS = (
    Excuse("restricted", f"DaemonSet {AGENTS}/node-exporter", f"{_OF_THE_NODE}: its network, processes and files"),
    Excuse("restricted", f"DaemonSet {AGENTS}/filebeat-beat-filebeat", f"{_OF_THE_NODE}: files that root alone reads"),
    Excuse(
        "container",
        f"DaemonSet {AGENTS}/filebeat-beat-filebeat/filebeat",
        "reads files of anybody on the node: DAC_READ_SEARCH, and nothing else of what root may",
    ),
    Excuse(
        "container",
        f"StatefulSet {MONITORING}/logstash-ls/logstash",
        "its makers do not say that it runs on a root that is read-only: github.com/elastic/logstash/issues/10905",
    ),
)


def check(api: Api) -> None:
    """Fail where a pod template is not `restricted`, or a container less than ours are, and no exception has it."""
    _check_namespace(api)
    found = [finding for one in _templates(api) for finding in (*_refused(api, one), *_containers(one))]
    print(f"\nat the level restricted: {len(list(_templates(api)))} pod templates, {len(found)} findings")
    assert [str(one) for one in found if not any(excuse.covers(one) for excuse in EXCEPTIONS)] == []
    assert [excuse for excuse in EXCEPTIONS if not any(excuse.covers(one) for one in found)] == []


def _check_namespace(api: Api) -> None:
    """Fail where somebody who adds a pod to `monitoring` is not warned."""
    labels = api.get(f"/api/v1/namespaces/{MONITORING}")["metadata"]["labels"]
    levels = {mode: labels.get(f"pod-security.kubernetes.io/{mode}") for mode in ("enforce", "warn", "audit")}
    assert levels == {"enforce": "baseline", "warn": "restricted", "audit": "restricted"}


def _templates(api: Api) -> Iterator[Template]:
    """Yield the template of each workload of ours; those of the application's namespace are made for tests."""
    for one in objects(api):
        if one["metadata"].get("namespace") in (MONITORING, AGENTS):
            yield from templates(one)


def _refused(api: Api, template: Template) -> Iterator[Broken]:
    """Yield what the API server has against a pod of a template, where nothing but `restricted` may be."""
    _make_namespace(api)
    # Its ServiceAccount is elsewhere, and its claims are those of a StatefulSet.
    pod = {key: value for key, value in template.pod.items() if not key.startswith("serviceAccount")}
    volumes = pod.get("volumes") or []
    claims = template.claims - {volume["name"] for volume in volumes}
    pod["volumes"] = [*volumes, *({"name": claim, "emptyDir": {}} for claim in sorted(claims))]
    body: Any = {"metadata": {"name": "one"}, "spec": pod}
    try:
        api.core.create_namespaced_pod(_NAMESPACE, body, dry_run="All")
    except ApiException as error:
        message = json.loads(str(error.body))["message"]
        if _VIOLATED not in message:
            raise
        yield Broken("restricted", template.where, message.partition(_VIOLATED)[2], "Set its security context")


def _make_namespace(api: Api) -> None:
    """Make a namespace of that level, with the ServiceAccount without which no pod is taken."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace: Any = {"metadata": {"name": _NAMESPACE, "labels": labels}}
    account: Any = {"metadata": {"name": "default"}}
    for make in (
        lambda: api.core.create_namespace(namespace),
        lambda: api.core.create_namespaced_service_account(_NAMESPACE, account),
    ):
        try:
            make()
        except ApiException as error:
            if error.status != 409:  # there already
                raise


def _containers(template: Template) -> Iterator[Broken]:
    """Yield each container whose security context has less than what ours have."""
    for container in template.containers():
        given = container.spec.get("securityContext") or {}
        lacking = {name: given.get(name) for name, value in RESTRICTED.items() if given.get(name) != value}
        if lacking:
            yield Broken("container", container.where, f"{lacking} is not {RESTRICTED}", "Set it, or say why not")
