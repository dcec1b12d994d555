"""What volumes that are there cannot become, told with the way out before anything is registered."""

from pathlib import Path
from typing import Any

import pytest
from kubernetes import config

from components.foundation.ownership import PART_OF
from components.foundation.volume_check import impossible
from components.foundation.volumes import volumes
from components.settings import Settings
from tests.unit.components.foundation.cluster_api import CONTEXT, answering, lead_to

CLUSTER = {"name": "c", "region": "r", "context": CONTEXT, "server": "https://x"}
AWS = {"accountId": "111122223333", "oidcIssuer": "oidc.eks.ap-southeast-1.amazonaws.com/id/A1"}
DEFAULTS = {each.setting: each for each in volumes(Settings.model_validate({"cluster": CLUSTER}))}
OF_CHARTS = sorted(setting for setting, each in DEFAULTS.items() if not each.operated)
OF_ELASTIC = sorted(DEFAULTS.keys() - set(OF_CHARTS))
STATEFUL_SETS = "/apis/apps/v1/namespaces/monitoring/statefulsets"
CLASS = "/apis/storage.k8s.io/v1/storageclasses/gp3"


def stateful_set(size: str, storage_class: str = "gp3") -> dict[str, Any]:
    spec = {"storageClassName": storage_class, "resources": {"requests": {"storage": size}}}
    return {"spec": {"volumeClaimTemplates": [{"spec": spec}]}}


UP = {setting: stateful_set(each.size) for setting, each in DEFAULTS.items()} | {
    CLASS: {"metadata": {}, "allowVolumeExpansion": True}
}


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return what is told of settings and of a cluster with a StorageClass, and StatefulSets by their setting."""

    def told(there: dict[str, Any], refused: dict[str, int] | None = None, **settings: Any) -> list[str]:
        monkeypatch.setattr("pulumi.get_stack", lambda: "prod")
        items = [
            {"metadata": {"name": DEFAULTS[setting].stateful_set}} | found
            for setting, found in there.items()
            if setting in DEFAULTS
        ]
        objects = {STATEFUL_SETS: {"items": [{"metadata": {"name": "other"}, "spec": {}}, *items]}}
        with answering(objects | {key: there[key] for key in there.keys() - DEFAULTS.keys()}, refused) as address:
            lead_to(address, tmp_path, monkeypatch)
            client = config.new_client_from_config(context=CONTEXT)  # type: ignore[no-untyped-call]
            return impossible(Settings.model_validate({"cluster": CLUSTER, "aws": AWS, **settings}), client)

    return told


def nested(setting: str, value: str) -> dict[str, Any]:
    *parents, key = setting.split(".")
    found: Any = {key: value}
    for parent in reversed(parents):
        found = {parent: found}
    return dict(found)


def test_a_cluster_without_volumes_and_one_whose_volumes_are_as_set_are_taken(ask: Any) -> None:
    assert ask({}) == []
    assert ask(UP) == []
    assert ask(UP | {"prometheus.storage": stateful_set("102400Mi")}) == [], "the same in another unit"


@pytest.mark.parametrize("setting", DEFAULTS)
def test_a_smaller_volume_is_refused_whoever_makes_it(ask: Any, setting: str) -> None:
    (line,) = ask(UP | {setting: stateful_set("9Ti")})
    name, size = DEFAULTS[setting].stateful_set, DEFAULTS[setting].size
    head = f"{setting}: {size}, and the volumes of {name} have 9Ti: a volume never gets smaller: set 9Ti again"
    assert line.startswith(head)


@pytest.mark.parametrize("setting", OF_CHARTS)
def test_a_larger_volume_of_a_chart_is_the_verbs(ask: Any, setting: str) -> None:
    (line,) = ask(UP, **nested(setting, "9Ti"))
    assert line.startswith(f"{setting}: 9Ti, and the volumes of ")
    assert "make grow STACK=prod" in line


@pytest.mark.parametrize("setting", OF_ELASTIC)
def test_a_larger_volume_of_elastics_is_its_operators(ask: Any, setting: str) -> None:
    assert ask(UP, **nested(setting, "9Ti")) == []


@pytest.mark.parametrize("setting", DEFAULTS)
def test_a_class_that_lets_none_grow_is_told_before_the_verb(ask: Any, setting: str) -> None:
    (line,) = ask(UP | {CLASS: {"metadata": {}}}, **nested(setting, "9Ti"))
    assert "their StorageClass lets none grow (allowVolumeExpansion)" in line
    assert "make grow" not in line


def test_another_class_is_one_line_with_all_that_have_the_former(ask: Any) -> None:
    (line,) = ask(UP, storage={"storageClass": "io2"})
    assert line.startswith("storage.storageClass: 'io2', and the volumes of prometheus, alertmanager, grafana, ")
    assert "are of 'gp3', which they stay for life: set 'gp3' again" in line


def test_aws_does_not_go_with_the_class_of_its_volumes(ask: Any) -> None:
    ours = {"metadata": {"labels": PART_OF}, "allowVolumeExpansion": True}
    assert ask(UP | {CLASS: ours}) == []
    assert ask(UP, aws=None) == [], "a class that somebody else made stays"
    (line,) = ask(UP | {CLASS: ours}, aws=None)
    assert line.startswith("aws: StorageClass 'gp3' is this stack's own, and would go with it: set aws again")


def test_what_may_not_be_read_is_a_warning(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", told.append)
    assert ask(UP, {STATEFUL_SETS: 403}, grafana={"storage": "1Mi"}) == []
    (line,) = told
    assert f"cannot be told: not allowed to read {STATEFUL_SETS}" in line
