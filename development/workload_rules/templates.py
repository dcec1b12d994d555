"""The pod templates of Kubernetes' workloads, and of the custom resources that ECK and Jaeger's operator make some of.

For a custom resource it is the template that the operator makes of it, as far as the rules look: sources are
pkg/controller of github.com/elastic/cloud-on-k8s v3.5.0, and pkg/deployment, pkg/cronjob and pkg/util of
github.com/jaegertracing/jaeger-operator v1.65.0. What the operators add besides is in the workloads that they make.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Container:
    """A container of a template.

    Args:
        where: the object, as findings name it.
        spec: the container's.
        runs_on: whether it runs as long as the pod, unlike an init container that ends.
    """

    where: str
    spec: Object
    runs_on: bool


@dataclass(frozen=True)
class Template:
    """A pod template.

    Args:
        where: the object, as findings name it.
        pod: the pod's spec.
        claims: the names of volumes that are claims.
        recreates: how many pods stop at once when it changes.
    """

    where: str
    pod: Object
    claims: frozenset[str] = frozenset()
    recreates: int = 0

    def containers(self) -> Iterator[Container]:
        """Yield each container, init containers too."""
        for spec in self.pod.get("initContainers") or []:
            yield Container(f"{self.where}/{spec['name']}", spec, spec.get("restartPolicy") == "Always")
        for spec in self.pod.get("containers") or []:
            yield Container(f"{self.where}/{spec['name']}", spec, True)


@dataclass(frozen=True)
class _Elastic:
    """The values that ECK fills into a pod: its main container's image, requests and user, and a volume for data."""

    container: str
    image: str
    requests: Mapping[str, str]
    user: Object
    claim: str = ""
    # WithPodSecurityContext sets it only where the template has none; a Beat gets none at all.
    pod: Object | None = None


_GROUP = {"fsGroup": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
_ELASTIC = {
    "Elasticsearch": _Elastic(
        "elasticsearch",
        "docker.elastic.co/elasticsearch/elasticsearch",
        {"memory": "2Gi"},
        {"runAsNonRoot": True},
        "elasticsearch-data",
        _GROUP,
    ),
    "Kibana": _Elastic("kibana", "docker.elastic.co/kibana/kibana", {"memory": "2Gi"}, {"runAsUser": 1000}, pod=_GROUP),
    "Logstash": _Elastic(
        "logstash", "docker.elastic.co/logstash/logstash", {"cpu": "1", "memory": "2Gi"}, {}, "logstash-data", _GROUP
    ),
}
_JAEGER = {"collector": "collector", "query": "query", "esIndexCleaner": "es-index-cleaner"}


def name_of(obj: Object) -> str:
    """Return how findings name an object."""
    metadata = obj["metadata"]
    namespace = metadata.get("namespace")
    return f"{obj['kind']} {namespace}/{metadata['name']}" if namespace else f"{obj['kind']} {metadata['name']}"


def templates(obj: Object) -> list[Template]:
    """Return the pod templates that an object carries; none where it is of a kind that carries none.

    Pods and Jobs that a controller made are left out: its own template stands for them.
    """
    kind, spec, where = obj["kind"], obj.get("spec") or {}, name_of(obj)
    group = str(obj.get("apiVersion", "")).partition("/")[0]
    if any(owner.get("controller") and kind in ("Pod", "Job") for owner in _owners(obj)):
        return []
    if kind == "Pod":
        return [_template(where, spec)]
    if kind == "CronJob":
        return [_template(where, spec["jobTemplate"]["spec"]["template"]["spec"])]
    if kind in ("Deployment", "StatefulSet", "DaemonSet", "Job"):
        claims = _claim_names(spec)
        return [_template(where, spec["template"]["spec"], claims, _recreates(spec, "RollingUpdate"))]
    if group.endswith(".k8s.elastic.co"):
        return list(_of_elastic(kind, spec, where))
    if kind == "Jaeger" and group == "jaegertracing.io":
        return list(_of_jaeger(spec, where))
    return []


def _owners(obj: Object) -> list[Object]:
    return obj["metadata"].get("ownerReferences") or []


def _template(where: str, pod: Object, claims: frozenset[str] = frozenset(), recreates: int = 0) -> Template:
    volumes = {volume["name"] for volume in pod.get("volumes") or [] if _is_claim(volume)}
    return Template(where, pod, claims | volumes, recreates)


def _is_claim(volume: Object) -> bool:
    return bool(volume.get("persistentVolumeClaim") or volume.get("ephemeral"))


def _claim_names(spec: Object) -> frozenset[str]:
    return frozenset(claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates") or [])


def _recreates(spec: Object, default: str) -> int:
    """Return how many pods stop at once, where the strategy is `default` if the spec has none."""
    strategy = (spec.get("strategy") or {}).get("type", default)
    replicas = spec.get("replicas")
    return (1 if replicas is None else int(replicas)) if strategy == "Recreate" else 0


def _of_elastic(kind: str, spec: Object, where: str) -> Iterator[Template]:
    if kind == "Elasticsearch":
        for nodes in spec.get("nodeSets") or []:
            yield _made_by_eck(_ELASTIC[kind], nodes, spec, f"{where}/{nodes['name']}")
    elif kind == "Beat":
        beat, image = spec["type"], f"docker.elastic.co/beats/{spec['type']}"
        for form in ("daemonSet", "deployment"):
            if form in spec:
                made = _Elastic(beat, image, {"cpu": "100m", "memory": "300Mi"}, {})
                yield _made_by_eck(made, spec[form] or {}, spec, where)
    elif kind in _ELASTIC:
        yield _made_by_eck(_ELASTIC[kind], spec, spec, where)


def _made_by_eck(elastic: _Elastic, part: Object, spec: Object, where: str) -> Template:
    """Return what ECK makes of the part of a spec that has the podTemplate."""
    pod = dict((part.get("podTemplate") or {}).get("spec") or {})
    if pod.get("securityContext") is None:
        pod["securityContext"] = elastic.pod
    claims = _claim_names(part)
    own_volumes = {volume["name"] for volume in pod.get("volumes") or []}
    if elastic.claim and elastic.claim not in own_volumes:
        claims |= {elastic.claim}
    containers = list(pod.get("containers") or [])
    if elastic.container not in [container["name"] for container in containers]:
        containers.append({"name": elastic.container})
    main = next(container for container in containers if container["name"] == elastic.container)
    mounts = [{"name": claim, "mountPath": f"/{claim}"} for claim in sorted(claims)]
    main = {
        "image": spec.get("image") or elastic.image,
        **main,
        "resources": _resources(main, part, elastic),
        "volumeMounts": [*(main.get("volumeMounts") or []), *mounts],
    }
    # An init container inherits these of the main one.
    inherited = {key: main[key] for key in ("image", "resources", "volumeMounts")}
    user = {"securityContext": elastic.user}
    pod["containers"] = [
        user | (main if container["name"] == elastic.container else container) for container in containers
    ]
    pod["initContainers"] = [user | inherited | container for container in pod.get("initContainers") or []]
    return _template(where, pod, claims, _recreates(part, "RollingUpdate"))


def _resources(main: Object, part: Object, elastic: _Elastic) -> Object:
    """Return what the main container requests: ECK's default only where nobody says anything."""
    own = main.get("resources") or {}
    short = part.get("resources") or {}
    if own.get("requests") is None and own.get("limits") is None and not short:
        return {"requests": elastic.requests, "limits": elastic.requests}
    return {key: {**(own.get(key) or {}), **(short.get(key) or {})} for key in ("requests", "limits")}


def _of_jaeger(spec: Object, where: str) -> Iterator[Template]:
    """Yield what the operator makes of the strategy `production`, the only one that the program uses."""
    if spec.get("strategy") != "production":
        return
    parts = {"collector": spec.get("collector") or {}, "query": spec.get("query") or {}}
    cleaner = (spec.get("storage") or {}).get("esIndexCleaner") or {}
    if cleaner.get("enabled", True) and (spec.get("storage") or {}).get("type") == "elasticsearch":
        parts["esIndexCleaner"] = cleaner
    for name, own in parts.items():
        image = _JAEGER[name]
        container = {"name": f"jaeger-{image}", "image": own.get("image") or f"jaegertracing/jaeger-{image}"}
        container["resources"] = {
            key: {**_resource(spec, key), **_resource(own, key)} for key in ("requests", "limits")
        }
        # The index cleaner's container is the only one that does not take over the one of the whole resource.
        common = None if name == "esIndexCleaner" else spec.get("containerSecurityContext")
        container["securityContext"] = own.get("containerSecurityContext") or common
        volumes = [*(spec.get("volumes") or []), *(own.get("volumes") or [])]
        container["volumeMounts"] = [*(spec.get("volumeMounts") or []), *(own.get("volumeMounts") or [])]
        security = own.get("securityContext") or spec.get("securityContext")
        pod = {"securityContext": security, "containers": [container], "volumes": volumes}
        # The operator takes Recreate where the resource has no strategy; a CronJob has none.
        recreates = 0 if name == "esIndexCleaner" else _recreates(own, "Recreate")
        yield _template(f"{where}/{image}", pod, recreates=recreates)


def _resource(spec: Object, key: str) -> Object:
    return (spec.get("resources") or {}).get(key) or {}
