"""Objects for the rules over pod templates and Roles: by rule what breaks it and nothing else, and what breaks none."""

from typing import Any

from components.foundation.pod_security import AS_NOBODY, NON_ROOT

Object = dict[str, Any]

RELOADER = "quay.io/prometheus-operator/prometheus-config-reloader:v0.93.1"
REQUESTS: Object = {"resources": {"requests": {"cpu": "10m", "memory": "32Mi"}}}
PYTHON: Object = {"image": "python:3.13.9-slim"}
WRITES: Object = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
CLAIM = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
SECCOMP = {"seccompProfile": {"type": "RuntimeDefault"}}


def container(name: str = "main", **fields: Any) -> Object:
    return {"name": name, "image": RELOADER, **REQUESTS, **fields}


def workload(*containers: Object, kind: str = "Deployment", pod: Object | None = None, **spec: Any) -> Object:
    pod_spec = {"containers": [*containers] or [container()], **(pod or {})}
    return thing(kind, {"template": {"spec": pod_spec}, **spec}, "apps/v1")


def thing(kind: str, spec: Object, version: str, **metadata: Any) -> Object:
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": "one", "namespace": "here", **metadata},
        "spec": spec,
    }


def elasticsearch(pod: Object, **node_set: Any) -> Object:
    nodes = {"name": "default", "podTemplate": {"spec": {"containers": [{"name": "elasticsearch", **REQUESTS}], **pod}}}
    return thing("Elasticsearch", {"nodeSets": [{**nodes, **node_set}]}, "elasticsearch.k8s.elastic.co/v1")


def logstash(pod: Object) -> Object:
    return thing("Logstash", {"podTemplate": {"spec": pod}}, "logstash.k8s.elastic.co/v1alpha1")


def kibana(pod: Object) -> Object:
    pod = {"containers": [{"name": "kibana", **REQUESTS}], **pod}
    return thing("Kibana", {"podTemplate": {"spec": pod}}, "kibana.k8s.elastic.co/v1")


def beat(form: str, **part: Any) -> Object:
    return thing("Beat", {"type": "filebeat", form: part}, "beat.k8s.elastic.co/v1beta1")


def jaeger(**spec: Any) -> Object:
    parts = {"collector": REQUESTS, "query": REQUESTS, **spec}
    return thing("Jaeger", {"strategy": "production", **parts}, "jaegertracing.io/v1")


def role(kind: str, *rules: Object, **labels: str) -> Object:
    metadata = {"name": "one", "labels": labels} | ({"namespace": "here"} if kind == "Role" else {})
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, "rules": [*rules]}


def binding(kind: str, given: str, name: str = "one") -> Object:
    namespace = {"namespace": "here"} if kind == "RoleBinding" else {}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": "one", **namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": given, "name": name},
    }


def may(verbs: str, resources: str, group: str = "", **more: Any) -> Object:
    return {"apiGroups": [group], "resources": resources.split(), "verbs": verbs.split(), **more}


BREAKING: dict[str, list[Object]] = {
    "unknown-image": [
        workload(container(image="docker.io/library/busybox:1.38.0")),
        workload(pod={"initContainers": [container("init", image="busybox@sha256:0123")]}),
        workload({"name": "main", **REQUESTS}),
    ],
    "non-root-user": [
        workload(pod={"securityContext": NON_ROOT}),
        workload(container(securityContext={"runAsNonRoot": True})),
        workload(container(securityContext={"runAsUser": 0}), pod={"securityContext": AS_NOBODY}),
        workload(container(**PYTHON, command=["python", "-m", "backup", "run"]), pod={"securityContext": NON_ROOT}),
        workload(pod={"securityContext": NON_ROOT}, kind="Job"),
        thing("Pod", {"containers": [container()], "securityContext": NON_ROOT}, "v1"),
        thing(
            "CronJob",
            {
                "jobTemplate": {
                    "spec": {"template": {"spec": {"containers": [container()], "securityContext": NON_ROOT}}}
                }
            },
            "batch/v1",
        ),
        beat("daemonSet", podTemplate={"spec": {"securityContext": NON_ROOT}}),
    ],
    "volume-group": [
        workload(container(**WRITES), kind="StatefulSet", volumeClaimTemplates=[{"metadata": {"name": "data"}}]),
        workload(container(**WRITES), pod={"volumes": [CLAIM], "securityContext": NON_ROOT | {"runAsUser": 65534}}),
        workload(
            container(**WRITES), container("root", **WRITES, securityContext={"runAsUser": 0}), pod={"volumes": [CLAIM]}
        ),
        elasticsearch({"securityContext": {}}),
        logstash({"securityContext": SECCOMP}),
        kibana(
            {"securityContext": SECCOMP, "containers": [{"name": "kibana", **REQUESTS, **WRITES}], "volumes": [CLAIM]}
        ),
        beat("deployment", podTemplate={"spec": {"containers": [{"name": "filebeat", **WRITES}], "volumes": [CLAIM]}}),
    ],
    "stops-at-once": [
        workload(replicas=2, strategy={"type": "Recreate"}),
        beat("deployment", replicas=2, strategy={"type": "Recreate"}),
        jaeger(query={"replicas": 2, **REQUESTS}),
    ],
    "no-requests": [
        workload({"name": "main", "image": RELOADER}),
        workload(container(resources={"requests": {"cpu": "10m"}, "limits": {"cpu": "20m"}})),
        workload(pod={"initContainers": [{"name": "init", "image": RELOADER}]}),
        elasticsearch({"containers": [{"name": "elasticsearch"}]}),  # ECK's default has no CPU
        kibana({"containers": []}),
        jaeger(storage={"type": "elasticsearch"}),
    ],
    "ends-only-by-sigkill": [
        workload(container(command=["sh", "-c", "while true; do date; done"])),
        workload(container(command=["/bin/bash", "-c"], args=["exec sleep infinity"])),
        workload(container(command=["sh", "/entrypoint.sh"])),
        workload(container(command=["tail", "-f", "/dev/null"])),
        workload(container(command=["/usr/local/bin/unheard-of"])),
        workload(container(**PYTHON, command=["python", "-m", "http.server"])),
        workload(container(**PYTHON, args=["sleep", "60"])),
        workload(container(**PYTHON)),
        workload(pod={"initContainers": [container("side", command=["sleep", "60"], restartPolicy="Always")]}),
    ],
    "reads-secrets": [
        role("Role", may("list", "configmaps secrets")),
        role("ClusterRole", may("watch", "secrets")),
    ],
    "escalates": [
        role("ClusterRole", may("escalate", "clusterroles", "rbac.authorization.k8s.io")),
        role("Role", may("create", "rolebindings", "rbac.authorization.k8s.io")),
        role("ClusterRole", may("impersonate", "users")),
        role("Role", may("create", "serviceaccounts/token")),
        role("Role", may("*", "leases", "coordination.k8s.io")),
        role("Role", may("get", "*", "apps")),
    ],
    "creates-pods-cluster-wide": [
        role("ClusterRole", may("create", "pods")),
        role("ClusterRole", may("patch", "deployments", "apps")),
        role("ClusterRole", may("create", "pods/exec")),
        role("ClusterRole", may("get", "nodes/proxy")),
    ],
    "gives-nothing": [role("Role", may("get", "nodes")), role("Role", may("list", "storageclasses", "storage.k8s.io"))],
    "gives-unseen-role": [
        binding("ClusterRoleBinding", "ClusterRole", "cluster-admin"),
        binding("RoleBinding", "Role"),
    ],
}
FINE: dict[str, list[Object]] = {
    "an image by digest": [workload(container(image=f"{RELOADER}@sha256:0123"))],
    "a user for the pod": [workload(pod={"securityContext": AS_NOBODY})],
    "a user for the container": [
        workload(container(securityContext={"runAsUser": 1}), pod={"securityContext": NON_ROOT})
    ],
    "an image's number": [
        workload(container(image="jaegertracing/jaeger-operator:1.65.0"), pod={"securityContext": NON_ROOT})
    ],
    "nobody asks for non-root": [workload(container(securityContext={"runAsNonRoot": False}))],
    "a group": [workload(container(**WRITES), pod={"volumes": [CLAIM], "securityContext": {"fsGroup": 65534}})],
    "a root init container": [
        workload(
            container(**WRITES),
            pod={
                "volumes": [CLAIM],
                "initContainers": [container("own", **WRITES, command=["chown"], securityContext={"runAsUser": 0})],
            },
        )
    ],
    "root writes": [workload(container(**WRITES, securityContext={"runAsUser": 0}), pod={"volumes": [CLAIM]})],
    "an image of root's writes": [
        workload(container(**WRITES, image="restic/restic:0.18.1"), pod={"volumes": [CLAIM]})
    ],
    "a claim that is only read": [
        workload(
            container(volumeMounts=[{"name": "data", "mountPath": "/data", "readOnly": True}]), pod={"volumes": [CLAIM]}
        )
    ],
    "no claim": [workload(container(**WRITES), pod={"volumes": [{"name": "data", "emptyDir": {}}]})],
    "ECK's own group": [elasticsearch({}), logstash({}), kibana({})],
    "a group beside ECK's": [elasticsearch({"securityContext": {"fsGroup": 1000, **SECCOMP}})],
    "no claim of Elasticsearch": [
        elasticsearch({"securityContext": SECCOMP, "volumes": [{"name": "elasticsearch-data", "emptyDir": {}}]})
    ],
    "an init container like Elasticsearch": [
        elasticsearch({"initContainers": [{"name": "plugins", "command": ["sh"]}]})
    ],
    "ECK's resources": [elasticsearch({"containers": [{"name": "elasticsearch"}]}, **REQUESTS), beat("daemonSet")],
    "one pod recreated": [workload(strategy={"type": "Recreate"}), jaeger()],
    "pods that roll": [
        workload(replicas=2),
        jaeger(query={"replicas": 2, "strategy": {"type": "RollingUpdate"}, **REQUESTS}),
    ],
    "Jaeger's common resources": [jaeger(collector={}, query={}, storage={"type": "elasticsearch"}, **REQUESTS)],
    "limits are requests": [workload(container(resources={"limits": {"cpu": 1, "memory": "1Gi"}}))],
    "a trap": [workload(container(command=["sh", "-c", "trap 'exit 0' TERM; sleep 60 & wait"]))],
    "exec": [workload(container(**PYTHON, command=["sh", "-c", "cd /programs && exec python -m backup run grafana"]))],
    "exec with arguments": [
        workload(container(**PYTHON, command=["bash", "-ec", 'exec python -m backup run "$1"', "--", "grafana"]))
    ],
    "an init process": [workload(container(command=["/usr/bin/tini", "--", "sleep", "60"]))],
    "an ending program": [workload(container(**PYTHON, command=["python", "/set-up/set_up.py"]), kind="Job")],
    "init containers": [workload(pod={"initContainers": [container("init", command=["sleep", "60"])]})],
    "no pid 1": [
        workload(container(command=["sleep", "60"]), pod={"hostPID": True}),
        workload(container(command=["sleep", "60"]), pod={"shareProcessNamespace": True}),
    ],
    "Secrets by name": [role("Role", may("get", "secrets", resourceNames=["one"]))],
    "writing Secrets": [role("Role", may("create", "secrets"))],
    "another group's": [role("ClusterRole", may("get", "secrets", "example.com"))],
    "reading RBAC": [role("ClusterRole", may("get list", "clusterroles", "rbac.authorization.k8s.io"))],
    "pods of a namespace": [role("Role", may("create", "pods pods/exec"))],
    "a ClusterRole in a namespace": [role("ClusterRole", may("create", "pods")), binding("RoleBinding", "ClusterRole")],
    "Kubernetes' own": [role("ClusterRole", may("*", "*"), **{"kubernetes.io/bootstrapping": "rbac-defaults"})],
    "what a controller made": [
        thing("Pod", {"containers": [{"name": "main"}]}, "v1", ownerReferences=[{"kind": "Job", "controller": True}])
    ],
    "helm test": [thing("Pod", {"containers": [{"name": "main"}]}, "v1", annotations={"helm.sh/hook": "test-success"})],
    "no pods": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "namespace": "here"}}],
}
