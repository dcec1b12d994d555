"""Services, load balancers and ingresses."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime

from components.settings.foundation import ExposureSettings
from operations.cluster import Object

from .finding import Finding, Severity, created, subject
from .workloads import GRACE

_AWS_CLASS = "service.k8s.aws/nlb"


def services(
    items: Sequence[Object], slices: Sequence[Object], pods: Sequence[Object], now: datetime
) -> Iterator[Finding]:
    """Find Services behind which nothing answers. Those without a selector are somebody else's to fill."""
    ready: dict[str, int] = defaultdict(int)
    for one in slices:
        name = one["metadata"].get("labels", {}).get("kubernetes.io/service-name", "")
        endpoints = one.get("endpoints") or []
        ready[name] += sum(each.get("conditions", {}).get("ready", True) for each in endpoints)
    for service in items:
        selector, namespace = service["spec"].get("selector"), service["metadata"]["namespace"]
        if not selector or ready[service["metadata"]["name"]]:
            continue
        chosen = [pod for pod in pods if selector.items() <= pod["metadata"].get("labels", {}).items()]
        if chosen and all(now - created(pod) < GRACE for pod in chosen):
            continue
        labels = ",".join(f"{key}={value}" for key, value in selector.items())
        if chosen:
            cause, step = f"none of its {len(chosen)} pods is ready", f"kubectl -n {namespace} get pods -l {labels}"
        else:
            cause = f"no pod has the labels {labels}: its workload is gone or scaled to 0, or the selector is wrong"
            step = f"kubectl -n {namespace} get deploy,statefulset,pods --show-labels"
        since = max((created(pod) for pod in chosen), default=created(service))
        what = "leads to no pod that is ready"
        yield Finding(Severity.CRITICAL, subject("service", service), what, since, cause, step, "pod-not-ready")


def load_balancers(items: Sequence[Object], exposure: ExposureSettings) -> Iterator[Finding]:
    """Find load balancers without an address, and tell the URLs of the others and of ports of the nodes.

    Args:
        items: the Services of a namespace.
        exposure: whether the load balancers have names, or speak TLS themselves. Kibana does in any case.
    """
    for service in items:
        name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
        on_nodes = exposure.load_balancer == "nodePort" and service["spec"].get("type") == "NodePort"
        if on_nodes and name.endswith("-external"):
            scheme = "https" if name == "kibana-external" else "http"
            ports = [f"{scheme}://{exposure.node_address}:{port['nodePort']}" for port in service["spec"]["ports"]]
            yield Finding(Severity.INFO, "url", f"{name}: {' '.join(ports)}")
        if service["spec"].get("type") != "LoadBalancer":
            continue
        if address := _address(service):
            scheme = "https" if exposure.certificate_arn or name == "kibana-external" else "http"
            urls = [f"{scheme}://{address}:{port['port']}" for port in service["spec"]["ports"]]
            if exposure.domain and name.endswith("-external"):
                urls = [f"https://{name.removesuffix('-external')}.{exposure.domain.name}"]
            yield Finding(Severity.INFO, "url", f"{name}: {' '.join(urls)}")
            continue
        kind = service["spec"].get("loadBalancerClass")
        cause = f"nobody serves loadBalancerClass {kind}, or it takes its time" if kind else "no controller made it yet"
        step = f"kubectl -n {namespace} describe service {name}"
        if kind == _AWS_CLASS:
            cause = "the AWS Load Balancer Controller has not made it: subnets, rights or quota; it takes some minutes"
            step = "kubectl -n kube-system logs deployment/aws-load-balancer-controller --tail=50"
        what, since = "has no address: nobody gets there from outside", created(service)
        yield Finding(Severity.WARNING, subject("service", service), what, since, cause, step)


def ingresses(items: Sequence[Object], services: Sequence[Object]) -> Iterator[Finding]:
    """Find ingresses without an address, and those that lead to a Service that is not there."""
    there = {service["metadata"]["name"] for service in services}
    for ingress in items:
        name, namespace = ingress["metadata"]["name"], ingress["metadata"]["namespace"]
        step, since = f"kubectl -n {namespace} describe ingress {name}", created(ingress)
        rules = ingress["spec"].get("rules", [])
        backends = [path["backend"] for rule in rules for path in rule.get("http", {}).get("paths", [])]
        backends += [ingress["spec"]["defaultBackend"]] if "defaultBackend" in ingress["spec"] else []
        named = {backend["service"]["name"] for backend in backends if "service" in backend}
        if gone := sorted(named - there):
            what, cause = f"leads to a Service that is not there: {', '.join(gone)}", "it was renamed or removed"
            yield Finding(Severity.CRITICAL, subject("ingress", ingress), what, since, cause, step)
        if not _address(ingress):
            cause = f"no controller serves the class {ingress['spec'].get('ingressClassName', '(default)')}"
            yield Finding(Severity.WARNING, subject("ingress", ingress), "has no address", since, cause, step)


def _address(item: Object) -> str:
    points = item.get("status", {}).get("loadBalancer", {}).get("ingress") or [{}]
    return str(points[0].get("hostname") or points[0].get("ip") or "")
