"""`make preview`: what counts as a change of an object, as noise, as a restart; what is stuck, and what is masked."""

from typing import Any

import pytest

from operations.preview import report
from operations.preview.objects import Change, Field, changed
from tests.unit.operations.manifests import SECRET, with_, workload


def difference(old: dict[str, Any], new: dict[str, Any]) -> Change:
    found = changed("it", old, new, release="Release monitoring/one", namespace="monitoring")
    assert found is not None
    return found


def test_a_field_is_named_by_the_container_and_variable_that_it_is_in() -> None:
    old = workload("Deployment")
    found = difference(old, with_(old, "spec|template|spec|containers|0|env|0|value", "2"))
    assert found.fields == (Field("spec.template.spec.containers.main.env.A.value", ("- 1", "+ 2")),)
    assert found.restarts
    assert not found.is_noise


def test_what_means_the_same_is_no_change() -> None:
    old = workload("Deployment")
    new = with_(old, "spec|template|spec|dnsPolicy", "ClusterFirst")
    assert changed("it", old, new) is None


@pytest.mark.parametrize("path", ["metadata|labels|helm.sh/chart", "metadata|labels|app.kubernetes.io/version"])
def test_labels_of_the_version_are_noise(path: str) -> None:
    old = workload("Deployment")
    found = difference(old, with_(old, path, "other"))
    assert (found.fields, found.folded, found.restarts, found.is_noise) == ((), 1, "", True)


@pytest.mark.parametrize("path", ["labels|helm.sh/chart", "annotations|checksum/config"])
@pytest.mark.parametrize("kind", ["DaemonSet", "Deployment", "StatefulSet"])
def test_noise_in_a_template_is_folded_and_restarts_all_the_same(kind: str, path: str) -> None:
    old = workload(kind)
    found = difference(old, with_(old, f"spec|template|metadata|{path}", "other"))
    assert (found.fields, found.folded, found.stuck, found.is_noise) == ((), 1, (), False)
    assert found.restarts == "its pods are replaced"


def test_replicas_restart_nothing() -> None:
    old = workload("StatefulSet")
    found = difference(old, with_(old, "spec|replicas", 3))
    assert (found.restarts, found.stuck) == ("", ())


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("StatefulSet", "serviceName", "other"),
        ("StatefulSet", "podManagementPolicy", "Parallel"),
        ("StatefulSet", "volumeClaimTemplates", [{"metadata": {"name": "data"}}]),
        ("StatefulSet", "selector", {"matchLabels": {"app": "two"}}),
        ("Deployment", "selector", {"matchLabels": {"app": "two"}}),
        ("DaemonSet", "selector", {"matchLabels": {"app": "two"}}),
    ],
)
def test_what_the_api_server_refuses_comes_with_its_way_out(kind: str, field: str, value: Any) -> None:
    old = workload(kind)
    found = difference(old, with_(old, f"spec|{field}", value))
    assert [path.split(".")[1] for path in found.stuck] == [field]
    assert f"kubectl -n monitoring delete {kind.lower()} one" in found.remedy
    assert ("--cascade=orphan" in found.remedy) == (kind == "StatefulSet")


@pytest.mark.parametrize(
    "field",
    [
        "minReadySeconds",
        "ordinals",
        "persistentVolumeClaimRetentionPolicy",
        "replicas",
        "revisionHistoryLimit",
        "updateStrategy",
    ],
)
def test_what_a_stateful_set_takes_in_place(field: str) -> None:
    old = workload("StatefulSet")
    found = difference(old, with_(old, f"spec|{field}", {"any": "other"}))
    assert (found.stuck, found.remedy) == ((), "")


def test_an_operator_rolls_what_is_its_own() -> None:
    for api_version in ("elasticsearch.k8s.elastic.co/v1", "jaegertracing.io/v1"):
        old = {"apiVersion": api_version, "kind": "Any", "metadata": {"name": "one"}, "spec": {"version": "1"}}
        assert "operator" in difference(old, with_(old, "spec|version", "2")).restarts
        assert not difference(old, with_(old, "metadata|labels", {"a": "b"})).restarts


def test_long_texts_are_cut_and_short_ones_told_by_their_lines() -> None:
    old = {"kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"a.yml": "one: 1\n-- two\nthree: 3"}}
    (field,) = difference(old, with_(old, "data|a.yml", "one: 1\n-- 2\nthree: 3")).fields
    assert (field.path, field.lines) == ("data.a.yml", ("- -- two", "+ -- 2"))
    (field,) = difference(old, with_(old, "data|a.yml", "\n".join(map(str, range(1000))))).fields
    assert len(field.lines) < 50
    assert field.lines[-1].endswith("more lines")


@pytest.mark.parametrize(
    "new", [with_(SECRET, "data|password", "b3RoZXI="), with_(SECRET, "data", {"new": "b3RoZXI="})]
)
def test_a_secret_shows_which_keys_change_and_nothing_of_them(new: dict[str, Any]) -> None:
    found = difference(SECRET, new)
    assert "data.password" in [field.path for field in found.fields]
    for text in (str(found), report.as_json(report.Preview("prod", "main", {"one": [found]}, []))):
        assert "Y2FuYXJ5" not in text
        assert "b3RoZXI" not in text


def test_a_secret_that_gets_its_data_shows_the_keys() -> None:
    bare = {key: value for key, value in SECRET.items() if key != "data"}
    assert difference(bare, SECRET).fields == (Field("data", ("+ password",)),)
