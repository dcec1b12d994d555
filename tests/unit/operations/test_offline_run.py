"""What the offline run takes of a stack's file."""

import os
from pathlib import Path

import yaml

from components.settings import PROJECT, secrets
from operations.offline_run import configuration
from tests.offline import run


def test_what_pulumi_and_providers_are_told_there_is_not_the_programs(tmp_path: Path) -> None:
    config = {f"{PROJECT}:grafana": {}, "logs": {"retentionDays": 3}, "aws:profile": "x", "pulumi:tags": {"a": "b"}}
    (tmp_path / "Pulumi.test.yaml").write_text(yaml.safe_dump({"config": config}))
    values = configuration(tmp_path, "test")
    assert values.keys() - {f"{PROJECT}:{key}" for key in secrets.PURPOSES} == {f"{PROJECT}:grafana", f"{PROJECT}:logs"}


def test_a_run_leaves_no_loop_open(tmp_path: Path) -> None:
    """Its own, and one in each thread: three descriptors each. The server of Pulumi's hooks keeps four."""
    run("local", tmp_path)
    before = len(os.listdir("/dev/fd"))
    run("local", tmp_path)
    assert len(os.listdir("/dev/fd")) <= before + 4
