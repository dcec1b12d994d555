"""What the offline run takes of a stack's file."""

from pathlib import Path

import yaml

from components.settings import PROJECT, secrets
from operations.offline_run import configuration


def test_what_pulumi_and_providers_are_told_there_is_not_the_programs(tmp_path: Path) -> None:
    config = {f"{PROJECT}:grafana": {}, "logs": {"retentionDays": 3}, "aws:profile": "x", "pulumi:tags": {"a": "b"}}
    (tmp_path / "Pulumi.test.yaml").write_text(yaml.safe_dump({"config": config}))
    values = configuration(tmp_path, "test")
    assert values.keys() - {f"{PROJECT}:{key}" for key in secrets.PURPOSES} == {f"{PROJECT}:grafana", f"{PROJECT}:logs"}
