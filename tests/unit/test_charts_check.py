"""`make charts-check`: which values count as ignored, and what counts as a difference."""

from pathlib import Path

import pytest

from operations.charts_check import Release, ignored_values
from operations.manifest_diff import differences, read


@pytest.mark.built
def test_a_value_that_a_chart_does_not_know_is_found(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: small\nversion: 1.0.0\n")
    (tmp_path / "values.yaml").write_text("replicas: 1\ndead: 1\n")
    (tmp_path / "templates" / "all.yaml").write_text(
        "metadata:\n  name: {{ .Values.name | default .Release.Name }}\nspec:\n  replicas: {{ .Values.replicas }}\n"
        "  labels: {{ .Values.labels | toJson }}\n"
    )
    values = {"replicas": 1, "name": "small", "labels": {"a": ["b"], "c": True}, "dead": 1, "typo": {"deep": []}}
    ignored = ignored_values(Release("local", "small", "small", "default", values), tmp_path)
    assert ignored == [("dead",), ("typo", "deep")]


DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: one, namespace: here, labels: {helm.sh/chart: one-1}}
spec:
  template:
    spec:
      containers:
        - name: first
          ports: [{containerPort: 80, protocol: TCP}]
          env: [{name: A, value: "1"}, {name: B, value: "2"}]
          volumeMounts: [{name: data, mountPath: /data, subPath: null}]
"""
ROLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: one}
rules:
  - {apiGroups: [""], resources: [pods], verbs: [get, list]}
  - {apiGroups: [""], resources: [nodes], verbs: [list, get]}
"""


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        (DEPLOYMENT, "chart: one-1", "chart: one-1_sandbox"),
        (DEPLOYMENT, ", protocol: TCP", ""),
        (DEPLOYMENT, ", subPath: null", ""),
        (DEPLOYMENT, '{name: A, value: "1"}, {name: B, value: "2"}', '{name: B, value: "2"}, {name: A, value: "1"}'),
        (ROLE, "[pods], verbs: [get, list]", "[pods, nodes], verbs: [list, get]"),
    ],
)
def test_what_means_the_same_is_no_difference(text: str, old: str, new: str) -> None:
    assert old in text
    assert differences(read(text), read(text.replace(old, new))) == []


@pytest.mark.parametrize(
    ("text", "old", "new", "field"),
    [
        (DEPLOYMENT, "containerPort: 80", "containerPort: 81", "spec.template.spec.containers.first.ports"),
        (DEPLOYMENT, '"1"', '"3"', "spec.template.spec.containers.first.env.A.value"),
        (DEPLOYMENT, "mountPath: /data", "mountPath: /other", "spec.template.spec.containers.first.volumeMounts./data"),
        (ROLE, "[get, list]", "[get]", "rules"),
        (ROLE, "name: one", "name: two", ""),
    ],
)
def test_what_differs_is_named(text: str, old: str, new: str, field: str) -> None:
    assert old in text
    found = differences(read(text), read(text.replace(old, new)))
    assert found[0].field == field
