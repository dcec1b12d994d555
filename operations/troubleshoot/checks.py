"""The list of checks: what each reads, and the function that judges it."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

from components.foundation import helm_records
from components.foundation.names import AGENTS, MONITORING
from components.foundation.web_interfaces import ALERTMANAGER, PROMETHEUS, WebInterface
from components.settings import Settings
from operations.cluster import Cluster, Missing, Object, Unreadable

from . import certificates, events, monitoring, network, operators, releases, volumes, workloads
from .finding import Finding, Severity, subject
from .runner import Check
from .web_interfaces import login, ready_pods

_BACKEND = "mangakai-backend-service"
_WORKLOADS = ("deployments", "statefulsets", "daemonsets")


def checks(cluster: Cluster, settings: Settings, stack: str, now: datetime) -> list[Check]:
    """Return all checks, one for each thing and namespace: rights may end at a namespace.

    Args:
        cluster: what is read.
        settings: of the stack.
        stack: its name.
        now: the time.
    """
    application = settings.application.namespace
    namespaces = (MONITORING, AGENTS, application)
    return [
        *(one for each in namespaces for one in _of(cluster, each, settings, stack, now)),
        *(Check(kind, _home(kind), partial(_operated, cluster, kind)) for kind in operators.KINDS),
        Check("logs of crashed containers", "all", lambda: _logs(cluster, namespaces)),
        Check("Prometheus", MONITORING, lambda: _prometheus(cluster, settings)),
        Check("Alertmanager", MONITORING, lambda: _alertmanager(cluster, settings)),
        Check("the backend's /ready", application, lambda: _backend(cluster, application)),
        Check("version", "Kubernetes", lambda: _version(cluster)),
    ]


def _of(cluster: Cluster, namespace: str, settings: Settings, stack: str, now: datetime) -> list[Check]:
    """Return the checks of one namespace."""
    read = partial(cluster.items, namespace=namespace)
    slices = partial(read, "endpointslices", group="discovery.k8s.io/v1")
    ingresses = partial(read, "ingresses", group="networking.k8s.io/v1")
    found: dict[str, Callable[[], Iterable[Finding]]] = {
        "namespace": lambda: _namespace(cluster, namespace, stack),
        "pods": lambda: workloads.pods(read("pods"), now),
        "jobs": lambda: workloads.jobs(read("jobs", group="batch/v1")),
        "services": lambda: network.services(read("services"), slices(), read("pods"), now),
        "load balancers": lambda: network.load_balancers(read("services"), settings.exposure),
        "ingresses": lambda: network.ingresses(ingresses(), read("services")),
        "volume claims": lambda: _claims(cluster, namespace, now),
        "events": lambda: events.events(read("events", fieldSelector="type=Warning"), now),
        "usage": lambda: _usage(cluster, namespace),
        "certificates": lambda: _certificates(cluster, namespace, now),
        "releases": lambda: _releases(cluster, namespace, settings, stack, now),
    }
    return [Check(topic, namespace, find) for topic, find in found.items()]


def _namespace(cluster: Cluster, namespace: str, stack: str) -> Iterator[Finding]:
    try:
        cluster.get(f"/api/v1/namespaces/{namespace}")
    except Missing:
        ours = namespace in (MONITORING, AGENTS)
        step = f"pulumi up --stack {stack}" if ours else "deploy the application, or correct application.namespace"
        yield Finding(Severity.CRITICAL, f"namespace {namespace}", "is not there", next_step=step)


def _claims(cluster: Cluster, namespace: str, now: datetime) -> Iterator[Finding]:
    classes = {
        one["metadata"]["name"]: one.get("volumeBindingMode", "Immediate")
        for one in cluster.get("/apis/storage.k8s.io/v1/storageclasses")["items"]
    }
    claims, pods = cluster.items("persistentvolumeclaims", namespace), cluster.items("pods", namespace)
    return volumes.claims(claims, classes, pods, now)


def _usage(cluster: Cluster, namespace: str) -> Iterator[Finding]:
    try:
        metrics = cluster.items("pods", namespace, "metrics.k8s.io/v1beta1")
    except Missing:  # there need not be a metrics-server (D-177)
        yield Finding(Severity.INFO, f"usage in {namespace}", "not known: there is no metrics-server on the cluster")
    else:
        yield from workloads.usage(namespace, metrics)


def _certificates(cluster: Cluster, namespace: str, now: datetime) -> Iterator[Finding]:
    tls = cluster.metadata("secrets", namespace, fieldSelector="type=kubernetes.io/tls")
    every = cluster.metadata("secrets", namespace)
    names = {one["metadata"]["name"] for one in tls}
    names |= {name for one in every if (name := one["metadata"]["name"]).endswith(certificates.ELASTIC_SUFFIX)}
    secrets = [cluster.get(f"/api/v1/namespaces/{namespace}/secrets/{name}") for name in sorted(names)]
    return certificates.certificates(secrets, now)


def _releases(cluster: Cluster, namespace: str, settings: Settings, stack: str, now: datetime) -> Iterator[Finding]:
    records = cluster.metadata("secrets", namespace, labelSelector=helm_records.selector())
    if namespace == MONITORING and not records:
        what, step = "there is no Release: the stack is not up", f"pulumi up --stack {stack}"
        yield Finding(Severity.CRITICAL, f"namespace {namespace}", what, next_step=step)
    named: list[Object] = []
    for kinds, group in [*((kinds, "apps/v1") for kinds in _WORKLOADS), *operators.KINDS.values()]:
        with suppress(Unreadable):  # the checks of these say so
            named += cluster.metadata(kinds, namespace, group)
    timeout = settings.charts.timeout_seconds
    yield from releases.releases(records, releases.versions(named), stack, timeout, now)


def _logs(cluster: Cluster, namespaces: Sequence[str]) -> Iterator[Finding]:
    """Tell the last lines of crashed containers, of the run before where there was one (D-179)."""
    pods = [pod for namespace in namespaces for pod in cluster.items("pods", namespace)]
    for pod, container in workloads.crashed(pods):
        meta, name = pod["metadata"], container["name"]
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/log"
        previous = str(container.get("restartCount", 0) > 0).lower()
        try:
            text = cluster.text(path, container=name, previous=previous, tailLines="50", limitBytes="50000")
        except Unreadable as error:
            text = f"its log cannot be read: {error}"
        yield Finding(Severity.INFO, subject("log of pod", pod), f"container {name}", lines=tuple(text.splitlines()))


def _home(kind: str) -> str:
    return AGENTS if kind == "beat" else MONITORING


def _operated(cluster: Cluster, kind: str) -> Iterator[Finding]:
    kinds, group = operators.KINDS[kind]
    items = cluster.items(kinds, _home(kind), group)
    return operators.jaeger(items) if kind == "jaeger" else operators.elastic(kind, items)


def _prometheus(cluster: Cluster, settings: Settings) -> Iterator[Finding]:
    ask = _asker(cluster, settings, PROMETHEUS)

    def query(promql: str) -> Any:
        return ask(f"/api/v1/query?{urlencode({'query': promql})}")["data"]["result"]

    yield from monitoring.targets(query(monitoring.TARGETS))
    yield from monitoring.notifications(query(monitoring.NOTIFICATIONS))
    for name, (metric, *_) in monitoring.EXPORTERS.items():
        yield from monitoring.exporter(name, query(metric))


def _alertmanager(cluster: Cluster, settings: Settings) -> Iterator[Finding]:
    ask = _asker(cluster, settings, ALERTMANAGER)
    return monitoring.alerts(ask("/api/v2/alerts?active=true&silenced=false&inhibited=false"))


def _asker(cluster: Cluster, settings: Settings, interface: WebInterface) -> Callable[[str], Any]:
    """Return a function that asks a ready pod of ours, with the login that the stack has."""
    pod, header = ready_pods(cluster, interface)[0], login(cluster, settings)

    def ask(path: str) -> Any:
        status, text = cluster.ask(pod, interface.port, path, header)
        if status != 200:
            raise Unreadable(f"it answers {status}", f"kubectl -n {MONITORING} logs {pod['metadata']['name']}")
        return json.loads(text)

    return ask


def _backend(cluster: Cluster, namespace: str) -> Iterator[Finding]:
    selector = f"kubernetes.io/service-name={_BACKEND}"
    slices = cluster.items("endpointslices", namespace, "discovery.k8s.io/v1", labelSelector=selector)
    ports = {port["port"] for one in slices for port in one["ports"] or [] if port.get("name") != "metrics"}
    names = [each["targetRef"]["name"] for one in slices for each in one["endpoints"] or [] if "targetRef" in each]
    if not names or not ports:
        why = f"Service {_BACKEND} leads to no pod, or only to its metrics"
        raise Unreadable(why, f"is the application deployed? kubectl -n {namespace} get service {_BACKEND}")
    pod = {"metadata": {"name": names[0], "namespace": namespace}}
    return monitoring.readiness(*cluster.ask(pod, min(ports), "/ready"))


def _version(cluster: Cluster) -> Iterator[Finding]:
    yield Finding(Severity.INFO, "Kubernetes", cluster.get("/version")["gitVersion"])
