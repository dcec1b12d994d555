"""What counts as drift of an object, and how it is told; the cluster's part is in tests/sandbox/local/test_drift.py."""

import json
from typing import Any

import pytest

from operations.cluster import Missing
from operations.drift import expected as made
from operations.drift.compare import ABSENT, Difference, differences
from operations.drift.expected import Expected, Release
from operations.drift.server import Server
from operations.drift.show import as_json, as_text

RELEASE = Release("prometheus", "monitoring", "1.2.3", {"a": 1})
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}


def thing(kind: str = "Deployment", fields: dict[str, Any] | None = None, **parts: Any) -> dict[str, Any]:
    """Return an object whose `fields` are written by kubectl."""
    managers = [
        {"manager": "helm", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:metadata": {"f:labels": {}}}},
        {"manager": "kubectl-edit", "time": "2026-01-02T00:00:00Z", "fieldsV1": fields or {"f:metadata": {}}},
    ]
    return {"kind": kind, "metadata": {"name": "it", "managedFields": managers}, **parts}


def found(manifest: dict[str, Any], applied: dict[str, Any], live: dict[str, Any]) -> dict[str, tuple[Any, Any, str]]:
    return {one.field: (one.expected, one.live, one.by) for one in differences(manifest, applied, live)}


def test_a_changed_field_is_told_with_who_changed_it() -> None:
    written: dict[str, Any] = {"f:spec": {"f:replicas": {}, "f:containers": {'k:{"name":"app"}': {"f:image": {}}}}}
    before = thing(spec={"replicas": 2, "containers": [{"name": "app", "image": "a:1"}, {"name": "log"}]})
    after = thing(
        fields=written, spec={"replicas": 1, "containers": [{"name": "app", "image": "a:2"}, {"name": "log"}]}
    )
    assert found(before, before, after) == {
        "spec.replicas": (2, 1, "kubectl-edit"),
        "spec.containers[app].image": ("a:1", "a:2", "kubectl-edit"),
    }


def test_what_the_api_server_writes_is_none() -> None:
    before = thing(status={"ready": 1})
    after = thing(status={"ready": 0})
    after["metadata"] |= {"resourceVersion": "7", "generation": 3}
    assert found(before, before, after) == {}


@pytest.mark.parametrize("empty", [{}, [], "", 0, None, {"certificate": {}}])
def test_what_is_empty_is_as_good_as_not_there(empty: object) -> None:
    before, after = thing(spec={"list": [{"a": 1}]}), thing(spec={"list": [{"a": 1, "b": empty}]})
    assert found(before, before, after) == {}
    assert found(after, after, before) == {}
    filled = thing(spec={"list": [{"a": 1, "b": 2}]})
    assert found(after, after, filled) == {
        "spec.list[0].b": (empty, 2, "") if not isinstance(empty, dict) or not empty else ({"certificate": {}}, 2, ""),
    }


def test_what_kubectl_added_is_found() -> None:
    item: dict[str, Any] = {'k:{"name":"X"}': {".": {}, "f:name": {}, "f:value": {}}}
    written = {
        "f:metadata": {"f:annotations": {".": {}, "f:note": {}, "f:kubectl.kubernetes.io/restartedAt": {}}},
        "f:spec": {"f:containers": {'k:{"name":"app"}': {"f:env": {".": {}, **item}}}, "f:replicas": {}},
    }
    manifest = thing(spec={"replicas": 1, "containers": [{"name": "app"}]})
    live = thing(fields=written, spec={"replicas": 1, "containers": [{"name": "app", "env": [{"name": "X"}]}]})
    live["metadata"]["annotations"] = {"note": "mine", "kubectl.kubernetes.io/restartedAt": "now", "checksum": "7"}
    assert found(manifest, live, live) == {
        "metadata.annotations.note": (ABSENT, "mine", "kubectl-edit"),
        "spec.containers[app].env[X]": (ABSENT, {"name": "X"}, "kubectl-edit"),
    }


@pytest.mark.parametrize("part", ["data", "stringData"])
def test_a_key_that_was_added_to_data_is_found_whoever_did_it(part: str) -> None:
    live = thing("Secret", data={"a": "YQ==", "b": "Yg=="})
    assert found(thing("Secret", **{part: {"a": "YQ=="}}), live, live) == {"data.b": (ABSENT, "Yg==", "")}


def state(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"deployment": {"resources": [{"custom": True, **resource} for resource in resources]}}


def test_the_objects_of_the_state_are_those_that_are_managed() -> None:
    inputs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"__init__.py": "b"}}
    outputs = {"metadata": {"name": "a", "namespace": "monitoring"}}
    hidden = {**inputs, "data": {**SECRET, "plaintext": '{"__init__.py": "b"}'}}
    kind = "kubernetes:core/v1:ConfigMap"
    every = state(
        {"type": kind, "inputs": {**inputs, "__defaults": []}, "outputs": outputs},
        {"type": kind, "inputs": hidden, "outputs": outputs},
        {"type": kind, "inputs": inputs, "outputs": outputs, "external": True},
        {"type": kind, "inputs": inputs, "outputs": outputs, "delete": True},
        {
            "type": "kubernetes:helm.sh/v3:Release",
            "inputs": {"name": "prometheus", "namespace": "monitoring", "values": {"a": 1}},
            "outputs": {"status": {"version": "1.2.3"}},
        },
        {"type": "aws:s3/bucket:Bucket", "inputs": {"kind": "bucket"}},
    )
    assert list(made.objects(every)) == [
        Expected("Pulumi", inputs, "monitoring", secret=False),
        Expected("Pulumi", inputs, "monitoring", secret=True),
    ]
    assert made.releases(every) == [RELEASE]


@pytest.mark.parametrize("outputs", [{}, {"outputs": {}}, {"outputs": {"status": None}}, {"outputs": {"status": {}}}])
def test_a_release_whose_first_install_failed_drifts_by_its_status_alone(outputs: dict[str, Any]) -> None:
    given = {"name": "prometheus", "namespace": "monitoring", "values": {"a": 1}}
    (release,) = made.releases(state({"type": "kubernetes:helm.sh/v3:Release", "inputs": given, **outputs}))
    record = {"chart": {"metadata": {"version": "1.2.3"}}, "config": {"a": 1}, "info": {"status": "failed"}}
    manifest = release.expected.manifest
    assert found(manifest, manifest, release.live(record)) == {"info.status": ("deployed", "failed", "")}


def test_the_objects_of_a_release_are_in_its_record() -> None:
    text = "---\nkind: Secret\nmetadata: {name: a}\n---\n# nothing\n---\nkind: List\nitems:\n- {kind: Service}\n"
    objects = list(made.manifest(RELEASE, {"manifest": text}))
    assert [(one.owner, one.manifest["kind"], one.namespace, one.secret) for one in objects] == [
        ("Release prometheus", "Secret", "monitoring", True),
        ("Release prometheus", "Service", "monitoring", False),
    ]


@pytest.mark.parametrize(
    ("changed", "field", "values"),
    [
        ({}, "", ()),
        ({"config": None}, "values.a", (1, ABSENT)),
        ({"config": {"a": 2}}, "values.a", (1, 2)),
        ({"chart": {"metadata": {"version": "1.2.4"}}}, "chart.version", ("1.2.3", "1.2.4")),
        ({"info": {"status": "pending-upgrade"}}, "info.status", ("deployed", "pending-upgrade")),
    ],
)
def test_a_release_is_as_pulumi_gave_it(changed: dict[str, Any], field: str, values: tuple[Any, ...]) -> None:
    record = {"config": {"a": 1}, "chart": {"metadata": {"version": "1.2.3"}}, "info": {"status": "deployed"}}
    manifest = RELEASE.expected.manifest
    assert found(manifest, manifest, RELEASE.live({**record, **changed})) == ({field: (*values, "")} if field else {})


def test_drift_is_told_as_a_diff_without_secrets() -> None:
    rules = Expected(
        "Pulumi",
        {"kind": "ConfigMap", "metadata": {"name": "rules", "namespace": "monitoring"}},
        "monitoring",
        secret=False,
    )
    login = Expected(
        "Release grafana",
        {"kind": "Secret", "metadata": {"name": "login", "namespace": "monitoring"}},
        "monitoring",
        secret=True,
    )
    drift = [
        (
            rules,
            [Difference("data.a", "one\ntwo\nthree\n", "one\ntwo\nfour\n", "kubectl-edit", "2026-01-02T00:00:00Z")],
        ),
        (login, [Difference("data.password", "canary-1", "canary-2"), Difference("data.more", ABSENT, "canary-3")]),
    ]
    assert as_text("prod", drift, 9).splitlines() == [
        "ConfigMap monitoring/rules (Pulumi)",
        "  data.a, by kubectl-edit at 2026-01-02T00:00:00Z",
        "@@ -2,2 +2,2 @@",
        " two",
        "-three",
        "+four",
        "",
        "Secret monitoring/login (Release grafana)",
        "  data.password",
        "- (secret)",
        "+ (secret)",
        "  data.more",
        "+ (secret)",
        "",
        "prod: drift in 2 of 9 objects: ConfigMap monitoring/rules, Secret monitoring/login. "
        "- is how it was made, + is how it is.",
    ]
    assert as_text("prod", [], 9) == "prod: no drift in 9 objects"
    told = json.loads(as_json("prod", drift, 9))
    assert "canary" not in json.dumps(told)
    assert [one["field"] for one in told["drift"]] == ["data.a", "data.password", "data.more"]


def test_an_object_of_the_cluster_has_no_namespace() -> None:
    role = Expected("Release it", {"kind": "ClusterRole", "metadata": {"name": "it"}}, "monitoring", secret=False)
    assert as_text("prod", [(role, [Difference("rules", 1, 2)])], 9).startswith("ClusterRole it (Release it)\n")


def test_of_a_secret_that_is_gone_it_is_told_that_it_was_there() -> None:
    login = Expected("Pulumi", {"kind": "Secret", "metadata": {"name": "login"}}, "monitoring", secret=True)
    assert "\n- the object\n" in as_text("prod", [(login, [Difference("", "the object", ABSENT)])], 9)


class Answers(Server):
    """An API server of one group."""

    def __init__(self) -> None:
        self._kinds = {}

    def get(self, path: str, **query: str) -> Any:
        assert path in ("/api/v1", "/apis/apps/v1")
        of_node, of_map = {"name": "nodes", "kind": "Node"}, {"name": "configmaps", "kind": "ConfigMap"}
        status = {"name": "nodes/status", "kind": "Node", "namespaced": True}
        return {"resources": [{**of_node, "namespaced": False}, {**of_map, "namespaced": True}, status]}


@pytest.mark.parametrize(
    ("version", "kind", "metadata", "path"),
    [
        ("v1", "Node", {"name": "a"}, "/api/v1/nodes/a"),
        ("v1", "ConfigMap", {"name": "a"}, "/api/v1/namespaces/monitoring/configmaps/a"),
        ("apps/v1", "ConfigMap", {"name": "a", "namespace": "b"}, "/apis/apps/v1/namespaces/b/configmaps/a"),
    ],
)
def test_an_object_lies_where_the_api_server_says(version: str, kind: str, metadata: dict[str, str], path: str) -> None:
    manifest = {"apiVersion": version, "kind": kind, "metadata": metadata}
    assert Answers().path(Expected("", manifest, "monitoring", secret=False)) == path


def test_a_kind_that_is_gone_is_missing() -> None:
    manifest = {"apiVersion": "v1", "kind": "Jaeger", "metadata": {"name": "a"}}
    with pytest.raises(Missing, match="knows no Jaeger in v1"):
        Answers().path(Expected("", manifest, "monitoring", secret=False))
