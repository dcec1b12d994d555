"""What counts as a difference between two manifests, and how it is named."""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from development.stand_in_diff import Difference, differences
from operations import manifest_diff
from operations.manifest_diff import fields, read

STATEFUL_SET = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: one, namespace: here, labels: {helm.sh/chart: one-1}}
spec:
  serviceName: one-headless
  replicas: 2
  minReadySeconds: 5
  podManagementPolicy: Parallel
  updateStrategy: {type: OnDelete}
  selector: {matchLabels: {app: one}}
  template:
    metadata:
      labels: {app: one}
      annotations: {checksum/config: abc}
    spec:
      serviceAccountName: one
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 300
      dnsPolicy: Default
      enableServiceLinks: false
      hostNetwork: true
      hostPID: true
      nodeSelector: {kubernetes.io/os: linux}
      securityContext: {runAsUser: 65534, runAsNonRoot: true, fsGroup: 65534, seccompProfile: {type: RuntimeDefault}}
      tolerations: [{effect: NoSchedule, operator: Exists}]
      affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: zone}]}}
      initContainers:
        - {name: prepare, image: "tool:1", command: [cp, a, b]}
        - {name: after, image: "tool:1"}
      containers:
        - name: first
          image: first:1
          imagePullPolicy: IfNotPresent
          command: [run]
          args: [--one=1, --two=2]
          env: [{name: A, value: "1"}, {name: B, value: $(A)}]
          ports: [{name: http, containerPort: 80, protocol: TCP}]
          readinessProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 5, timeoutSeconds: 4}
          resources: {requests: {cpu: 500m}, limits: {memory: 1Gi}}
          securityContext: {privileged: false, capabilities: {drop: [ALL]}}
          volumeMounts: [{name: data, mountPath: /data, readOnly: true, subPath: null}]
        - {name: second, image: "second:1"}
      volumes: [{name: config, configMap: {name: config}}, {name: work, emptyDir: {}}]
  volumeClaimTemplates: [{metadata: {name: data}, spec: {resources: {requests: {storage: 5Gi}}}}]
"""
OTHERS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: two, namespace: here}
spec: {strategy: {type: Recreate}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: one, namespace: here, annotations: {eks.amazonaws.com/role-arn: arn}}
automountServiceAccountToken: false
---
apiVersion: v1
kind: Service
metadata: {name: one, namespace: here}
spec:
  clusterIP: None
  type: ClusterIP
  sessionAffinity: ClientIP
  ports: [{name: http, port: 80, targetPort: http, appProtocol: http}]
  selector: {app: one}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: one, namespace: here}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: one}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: one, namespace: here}
data: {one.ini: "a = 1", empty: ""}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: one}
rules:
  - {apiGroups: [""], resources: [pods], verbs: [get, list]}
  - {apiGroups: [""], resources: [nodes], verbs: [list, get]}
  - {apiGroups: [apps], resources: [deployments], resourceNames: [mine], verbs: [patch]}
  - {nonResourceURLs: [/metrics], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: one}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: one}
subjects: [{kind: ServiceAccount, name: one, namespace: here}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: one}
webhooks:
  - name: one.example.com
    failurePolicy: Ignore
    clientConfig: {service: {name: one, namespace: here, path: /mutate}}
    rules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}]
---
apiVersion: example.com/v1
kind: Custom
metadata: {name: one, namespace: here}
spec: {strategy: {type: RollingUpdate}, empty: {}, list: [{a: 1}]}
"""
ALL = f"{STATEFUL_SET}---{OTHERS}"


def changed(old: str, new: str) -> list[Difference]:
    assert ALL.count(old) == 1, old
    return differences(read(ALL), read(ALL.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # Filled in by the API server.
        (", protocol: TCP", ""),
        ("          imagePullPolicy: IfNotPresent\n", ""),
        ("{path: /ready, port: http}", "{path: /ready, port: http, scheme: HTTP}"),
        ("timeoutSeconds: 4}", "timeoutSeconds: 4, successThreshold: 1, failureThreshold: 3, initialDelaySeconds: 0}"),
        ("  type: ClusterIP\n", ""),
        ("configMap: {name: config}", "configMap: {name: config, defaultMode: 420}"),
        ("{metadata: {name: data}", "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data}"),
        ("spec: {strategy: {type: Recreate}}", "spec: {strategy: {type: Recreate}, revisionHistoryLimit: 10}"),
        ("path: /mutate}", "path: /mutate, port: 443}"),
        # Left out by it.
        (", subPath: null", ""),
        (", subPath: null", ', subPath: ""'),
        ("      serviceAccountName: one\n", "      serviceAccountName: one\n      imagePullSecrets: []\n"),
        ("list: [{a: 1}]", "list: [{a: 1, b: null}]"),
        # Written in another form.
        ("{cpu: 500m}", "{cpu: 0.5}"),
        ("[pods], verbs: [get, list]", "[pods, nodes], verbs: [list, get]"),
    ],
)
def test_what_means_the_same_to_the_api_server_is_no_difference(old: str, new: str) -> None:
    assert changed(old, new) == []


def recorded() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return objects as they are sent to an API server, and as it stores them."""
    objects = yaml.safe_load((Path(__file__).parent / "api_server.yaml").read_text())
    return list(zip(objects["sent"], objects["stored"], strict=True))


def test_an_object_is_what_the_api_server_makes_of_it() -> None:
    for sent, stored in recorded():
        assert list(fields(sent, stored)) == [], sent["kind"]


DEFAULTS = [(holder, field) for holder, defaults in manifest_diff._DEFAULTS.items() for field in defaults]


@pytest.mark.parametrize(("holder", "field"), DEFAULTS)
def test_each_default_is_one_of_the_api_server(holder: str, field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    without = {key: value for key, value in manifest_diff._DEFAULTS[holder].items() if key != field}
    monkeypatch.setitem(manifest_diff._DEFAULTS, holder, without)
    assert any(list(fields(sent, stored)) for sent, stored in recorded()), "nothing recorded shows this default"


POD = "spec.template.spec"
FIRST = f"{POD}.containers.first"
# What is changed, into what, and the path that is named then, by the object that it is in.
DIFFERENT = {
    "StatefulSet here/one (apps/v1)": [
        ("replicas: 2", "replicas: 1", "spec.replicas"),
        ("minReadySeconds: 5", "minReadySeconds: 0", "spec.minReadySeconds"),
        ("podManagementPolicy: Parallel", "podManagementPolicy: OrderedReady", "spec.podManagementPolicy"),
        ("{type: OnDelete}", "{type: RollingUpdate}", "spec.updateStrategy"),
        ("{type: OnDelete}", "{type: OnDelete, rollingUpdate: {partition: 1}}", "spec.updateStrategy.rollingUpdate"),
        ("storage: 5Gi", "storage: 6Gi", "spec.volumeClaimTemplates"),
        ("checksum/config: abc", "checksum/config: def", "spec.template.metadata.annotations.checksum/config"),
        ("labels: {app: one}", "labels: {app: two}", "spec.template.metadata.labels.app"),
        ("serviceAccountName: one", "serviceAccountName: two", f"{POD}.serviceAccountName"),
        ("      automountServiceAccountToken: false\n", "", f"{POD}.automountServiceAccountToken"),
        ("PeriodSeconds: 300", "PeriodSeconds: 30", f"{POD}.terminationGracePeriodSeconds"),
        ("dnsPolicy: Default", "dnsPolicy: ClusterFirst", f"{POD}.dnsPolicy"),
        ("enableServiceLinks: false", "enableServiceLinks: true", f"{POD}.enableServiceLinks"),
        ("hostNetwork: true", "hostNetwork: false", f"{POD}.hostNetwork"),
        ("      hostPID: true\n", "", f"{POD}.hostPID"),
        ("os: linux", "os: windows", f"{POD}.nodeSelector.kubernetes.io/os"),
        ("runAsUser: 65534, ", "", f"{POD}.securityContext.runAsUser"),
        ("runAsUser: 65534, ", "runAsUser: 0, ", f"{POD}.securityContext.runAsUser"),
        ("runAsNonRoot: true, ", "runAsNonRoot: false, ", f"{POD}.securityContext.runAsNonRoot"),
        ("fsGroup: 65534", "fsGroup: 472", f"{POD}.securityContext.fsGroup"),
        ("RuntimeDefault", "Unconfined", f"{POD}.securityContext.seccompProfile.type"),
        ("NoSchedule", "NoExecute", f"{POD}.tolerations"),
        ("topologyKey: zone", "topologyKey: host", f"{POD}.affinity.podAntiAffinity.required*"),
        ("[cp, a, b]", "[cp, b, a]", f"{POD}.initContainers.prepare.command"),
        ("name: after", "name: afterwards", f"{POD}.initContainers.after"),
        ("name: second", "name: other", f"{POD}.containers.second"),
        ("image: first:1", "image: first:2", f"{FIRST}.image"),
        ("imagePullPolicy: IfNotPresent", "imagePullPolicy: Always", f"{FIRST}.imagePullPolicy"),
        ("command: [run]", "command: [walk]", f"{FIRST}.command"),
        ("[--one=1, --two=2]", "[--two=2, --one=1]", f"{FIRST}.args"),
        ('value: "1"', 'value: "3"', f"{FIRST}.env.A.value"),
        (
            '{name: A, value: "1"}, {name: B, value: $(A)}',
            '{name: B, value: $(A)}, {name: A, value: "1"}',
            f"{FIRST}.env",
        ),
        ("containerPort: 80", "containerPort: 81", f"{FIRST}.ports.http.containerPort"),
        ("[{name: http, containerPort", "[{containerPort", f"{FIRST}.ports"),
        ("periodSeconds: 5", "periodSeconds: 10", f"{FIRST}.readinessProbe.periodSeconds"),
        ("timeoutSeconds: 4", "timeoutSeconds: 4, failureThreshold: 9", f"{FIRST}.readinessProbe.failureThreshold"),
        ("path: /ready", "path: /", f"{FIRST}.readinessProbe.httpGet.path"),
        ("httpGet: {path: /ready, port: http}", "tcpSocket: {port: http}", f"{FIRST}.readinessProbe.tcpSocket"),
        ("cpu: 500m", "cpu: 501m", f"{FIRST}.resources.requests.cpu"),
        ("limits: {memory: 1Gi}", "limits: {memory: 1G}", f"{FIRST}.resources.limits.memory"),
        ("privileged: false", "privileged: true", f"{FIRST}.securityContext.privileged"),
        ("drop: [ALL]", "drop: []", f"{FIRST}.securityContext.capabilities.drop"),
        ("readOnly: true", "readOnly: false", f"{FIRST}.volumeMounts./data.readOnly"),
        ("subPath: null", "subPath: deep", f"{FIRST}.volumeMounts./data.subPath"),
        ("mountPath: /data", "mountPath: /other", f"{FIRST}.volumeMounts./data"),
        ("configMap: {name: config}", "configMap: {name: other}", f"{POD}.volumes.config.configMap.name"),
        ("emptyDir: {}", "emptyDir: {medium: Memory}", f"{POD}.volumes.work.emptyDir.medium"),
        ("emptyDir: {}", "hostPath: {path: /}", f"{POD}.volumes.work.emptyDir"),
    ],
    "Deployment here/two (apps/v1)": [("Recreate", "RollingUpdate", "spec.strategy")],
    "ServiceAccount here/one (v1)": [
        ("arn: arn", "arn: other", "metadata.annotations.eks.amazonaws.com/role-arn"),
        ("\nautomountServiceAccountToken: false", "", "automountServiceAccountToken"),
    ],
    "Service here/one (v1)": [
        ("[{name: http, port: 80", "[{name: web, port: 80", "spec.ports.http"),
        ("targetPort: http", "targetPort: web", "spec.ports.http.targetPort"),
        ("targetPort: http", "targetPort: http, protocol: UDP", "spec.ports.http.protocol"),
        (", appProtocol: http", "", "spec.ports.http.appProtocol"),
        ("type: ClusterIP", "type: LoadBalancer", "spec.type"),
        ("  clusterIP: None\n", "", "spec.clusterIP"),
        ("ClientIP", "None", "spec.sessionAffinity"),
        ("  selector: {app: one}\n---", "  selector: {app: two}\n---", "spec.selector.app"),
    ],
    "PodDisruptionBudget here/one (policy/v1)": [
        ("maxUnavailable: 1", "maxUnavailable: 2", "spec.maxUnavailable"),
        ("maxUnavailable: 1", "minAvailable: 1", "spec.minAvailable"),
    ],
    "ConfigMap here/one (v1)": [("a = 1", "a = 2", "data.one.ini"), (', empty: ""', "", "data.empty")],
    "ClusterRole one (rbac.authorization.k8s.io/v1)": [
        ("[pods], verbs: [get, list]", "[pods], verbs: [get]", "rules"),
        ('[""], resources: [pods]', "[apps], resources: [pods]", "rules"),
        ("resources: [nodes]", "resources: [nodes, secrets]", "rules"),
        ("resourceNames: [mine], ", "", "rules"),
        ("nonResourceURLs: [/metrics]", "nonResourceURLs: ['*']", "rules"),
    ],
    "ClusterRoleBinding one (rbac.authorization.k8s.io/v1)": [
        ("kind: ClusterRole, name: one", "kind: ClusterRole, name: admin", "roleRef.name"),
        ("name: one, namespace: here}]", "name: one, namespace: there}]", "subjects.one.namespace"),
    ],
    "MutatingWebhookConfiguration one (admissionregistration.k8s.io/v1)": [
        ("failurePolicy: Ignore", "failurePolicy: Fail", "webhooks.one.example.com.failurePolicy"),
        ("path: /mutate", "path: /other", "webhooks.one.example.com.clientConfig.service.path"),
        ("[CREATE]", "[DELETE]", "webhooks.one.example.com.rules"),
    ],
    # The API server knows no default of a custom resource.
    "Custom here/one (example.com/v1)": [
        ("spec: {strategy: {type: RollingUpdate}", "spec: {strategy: {}", "spec.strategy.type"),
        (", empty: {}", "", "spec.empty"),
    ],
}


@pytest.mark.parametrize(
    ("where", "old", "new", "field"), [(where, *case) for where, cases in DIFFERENT.items() for case in cases]
)
def test_what_differs_is_named_by_object_and_path(where: str, old: str, new: str, field: str) -> None:
    found = changed(old, new)
    assert {one.object for one in found} == {where}
    assert [one for one in found if fnmatchcase(one.field, field)], found


def test_an_object_that_only_one_has_is_one_difference() -> None:
    found = [str(one) for one in changed("kind: Deployment", "kind: ReplicaSet")]
    assert found == [
        "Deployment here/two (apps/v1): only the official chart has it",
        "ReplicaSet here/two (apps/v1): only the stand-in has it",
    ]


def test_a_default_that_is_written_is_told_as_what_was_there() -> None:
    """Else 1 -> 2 replicas reads as 2 that are new."""
    one, two = ({"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": {"replicas": count}} for count in (1, 2))
    assert list(fields(one, two)) == [("spec.replicas", 1, 2)]
    assert list(fields(two, one)) == [("spec.replicas", 2, 1)]
    assert list(fields({**one, "spec": {}}, two)) == [("spec.replicas", None, 2)]
    ports = [
        {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"name": "a", "port": 1, "protocol": protocol}]}}
        for protocol in ("TCP", "UDP")
    ]
    assert list(fields(*ports)) == [("spec.ports.a.protocol", "TCP", "UDP")]
