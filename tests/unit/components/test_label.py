"""`cluster.name` is a label: where it changes, nothing is another one, and nothing has another name."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from operations.preview.base import Resources
from tests.offline import ROOT, run

# By these a provider, or what AWS makes, is what it is: another value makes it anew.
IDENTITIES = {"clusterIdentifier", "name", "namePrefix", "bucketPrefix"}


def named(cluster: str, stack: str, folder: Path) -> Resources:
    """Return what a stack registers whose cluster has this name, by its URN."""
    config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]["mangakai-monitoring:cluster"]
    folder.mkdir()
    registered = run(stack, folder, {"cluster": {**config, "name": cluster}}).resources
    return {one.urn: {"inputs": one.inputs, "ignored": one.ignore_changes} for one in registered}


@pytest.mark.parametrize("stack", ["local", "prod"])
def test_another_name_of_the_cluster_is_another_label(stack: str, tmp_path: Path) -> None:
    before, after = named("mangakai-old", stack, tmp_path / "old"), named("mangakai-new", stack, tmp_path / "new")
    assert before.keys() == after.keys()

    def changed(urn: str) -> set[str]:
        old: dict[str, Any] = before[urn]["inputs"]
        new: dict[str, Any] = after[urn]["inputs"]
        return {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)} - set(after[urn]["ignored"])

    assert {urn.split("::")[-1]: changed(urn) & IDENTITIES for urn in after if changed(urn) & IDENTITIES} == {}
    (provider,) = (urn for urn in after if "pulumi:providers:kubernetes" in urn)
    assert before[provider]["inputs"]["clusterIdentifier"] == after[provider]["inputs"]["clusterIdentifier"]
    # It was `cluster.name` once: the engine keeps what is ignored as it lies in the state of a stack that is up.
    assert after[provider]["ignored"] == ("clusterIdentifier",)
