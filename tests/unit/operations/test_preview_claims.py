"""`make preview`: which changes of volumes are told as impossible, and by whom they would be refused."""

from typing import Any

import pytest

from operations.preview.objects import Change, changed
from tests.unit.operations.manifests import workload


def claim(size: str = "5Gi", storage_class: str = "gp3", **labels: str) -> dict[str, Any]:
    spec = {"storageClassName": storage_class, "resources": {"requests": {"storage": size}}}
    return {"metadata": {"name": "data", "labels": labels}, "spec": spec}


def elasticsearch(*claims: dict[str, Any]) -> dict[str, Any]:
    node_set = {"name": "default", "count": 1, "volumeClaimTemplates": list(claims)}
    metadata = {"name": "mangakai-logs", "namespace": "monitoring"}
    api_version = "elasticsearch.k8s.elastic.co/v1"
    return {"apiVersion": api_version, "kind": "Elasticsearch", "metadata": metadata, "spec": {"nodeSets": [node_set]}}


def logstash(*claims: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": "logstash", "namespace": "monitoring"}
    spec = {"volumeClaimTemplates": list(claims)}
    return {"apiVersion": "logstash.k8s.elastic.co/v1alpha1", "kind": "Logstash", "metadata": metadata, "spec": spec}


def stateful_set(*claims: dict[str, Any]) -> dict[str, Any]:
    return workload("StatefulSet", volumeClaimTemplates=list(claims))


def difference(make: Any, new: list[dict[str, Any]], claims_fit: bool = False) -> Change:
    found = changed("it", make(claim()), make(*new), release="Release monitoring/one", claims_fit=claims_fit)
    assert found is not None
    return found


@pytest.mark.parametrize("make", [elasticsearch, logstash])
@pytest.mark.parametrize(
    ("new", "is_stuck"),
    [
        ([claim("6Gi")], False),
        ([claim("4Gi")], True),
        ([claim(storage_class="io2")], True),
        ([claim(), claim()], True),
        ([claim(a="b")], False),
    ],
)
def test_elastics_operator_makes_volumes_larger_and_nothing_else(make: Any, new: Any, is_stuck: bool) -> None:
    found = difference(make, new)
    assert bool(found.stuck) == is_stuck
    assert ("set back what they have" in found.remedy) == is_stuck


@pytest.mark.parametrize("new", [[claim("6Gi")], [claim("4Gi")], [claim(storage_class="io2")], [claim(a="b")], []])
def test_of_a_stateful_set_nothing_changes(new: Any) -> None:
    found = difference(stateful_set, new)
    assert found.stuck == ("spec.volumeClaimTemplates",)
    assert "make grow" in found.remedy


@pytest.mark.parametrize(("new", "is_stuck"), [([claim("6Gi")], False), ([claim(a="b")], True), ([], True)])
def test_after_make_grow_the_claims_fit_and_other_changes_are_still_impossible(new: Any, is_stuck: bool) -> None:
    assert bool(difference(stateful_set, new, claims_fit=True).stuck) == is_stuck
