"""The sizes at which any stack fits on one machine."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from components.settings import read_file
from sandbox.sizes import of_one_machine
from sandbox.stacks import laid_over
from tests.offline import ROOT


def test_nothing_but_resources_is_taken_from_the_stack_local(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.local.yaml").write_text("""
config:
  mangakai-monitoring:cluster: {name: local}
  mangakai-monitoring:prometheus: {replicas: 1, resources: {requests: {cpu: 1m}}}
  mangakai-monitoring:logs:
    elasticsearch: {nodes: 1, resources: {requests: {cpu: 2m}}}
    kibana: {replicas: 1}
""")
    assert of_one_machine(tmp_path) == {
        "prometheus": {"resources": {"requests": {"cpu": "1m"}}},
        "logs": {"elasticsearch": {"resources": {"requests": {"cpu": "2m"}}}},
    }


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_every_container_whose_size_is_a_setting_gets_another_one(stack: str) -> None:
    def resources(settings: Mapping[str, object], where: str = "") -> set[str]:
        found = {where} if where.endswith(".resources") else set()
        for key, value in settings.items():
            if isinstance(value, dict):
                found |= resources(value, f"{where}.{key}")
        return found

    shipped = read_file(ROOT / f"Pulumi.{stack}.yaml").model_dump(by_alias=True)
    assert resources(of_one_machine()) == resources(shipped)


def test_a_mapping_is_laid_over_another_key_by_key() -> None:
    below = {"a": {"b": 1, "c": {"d": 2}}, "e": [1]}
    assert laid_over(below, {"a": {"c": {"f": 3}}, "e": [2]}) == {"a": {"b": 1, "c": {"d": 2, "f": 3}}, "e": [2]}
    assert below == {"a": {"b": 1, "c": {"d": 2}}, "e": [1]}
