"""The workflows of a copy of the project, each of whose stacks has a cluster of its own."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import yaml

from sandbox.environment import environment
from sandbox.layout import CONTEXT, Sandbox
from sandbox.stacks import PROJECT
from tests.github import GitHub
from tests.workflows.actions import Actions

# It leads to the cluster that is called so.
_AWS = """#!/bin/sh
test "$1 $2 $3 $5" = "eks update-kubeconfig --name --alias" || exit 2
cp "$STAND_INS/kubeconfig-$4" "$RUNNER_TEMP/kubeconfig" &&
    sed -i "s/{context}/$6/" "$RUNNER_TEMP/kubeconfig" &&
    echo "KUBECONFIG=$RUNNER_TEMP/kubeconfig" >> "$GITHUB_ENV"
"""
_SET_BY_WORKFLOWS = {
    "KUBECONFIG", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_STACK", "PULUMI_OPTION_CONFIG_FILE",
}  # fmt: skip


class Deployment(Actions):
    """The workflows, with the clusters of the stacks.

    Args:
        folder: of the copy.
        stand_ins: a folder for what stands in for the rest of the world.
        clusters: of each stack; their states are one.
        charts: the directory of the archives.
        github: what answers as its API.
    """

    def __init__(
        self, folder: Path, stand_ins: Path, clusters: Mapping[str, Sandbox], charts: Path, github: GitHub
    ) -> None:
        stack, sandbox = next(iter(clusters.items()))
        variables = environment(sandbox, stack)
        of_runner = {key: value for key, value in variables.items() if key not in _SET_BY_WORKFLOWS}
        backend, passphrase = f"file://{sandbox.state}", variables["PULUMI_CONFIG_PASSPHRASE"]
        super().__init__(folder, stand_ins, charts, github, of_runner, backend, passphrase)
        aws = stand_ins / "bin" / "aws"
        aws.write_text(_AWS.format(context=CONTEXT))
        aws.chmod(0o755)
        for name, one in clusters.items():
            shutil.copy(one.kubeconfig, stand_ins / f"kubeconfig-mangakai-{name}")
            document = yaml.safe_load(one.stack_file(name).read_text())
            # Its context is called like the cluster, as `aws` does.
            key = f"{PROJECT}:cluster"
            document["config"][key] = {**document["config"][key], "context": f"mangakai-{name}"}
            (folder / f"Pulumi.{name}.yaml").write_text(yaml.safe_dump(document))
        self.commit()
