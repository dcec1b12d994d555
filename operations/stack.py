"""The settings of a stack whose cluster is the one at hand."""

import os
from pathlib import Path

from components.settings import Settings, SettingsError, kubeconfig, read_file

_ROOT = Path(__file__).parent.parent


def read(stack: str) -> Settings:
    """Return the settings of a stack whose cluster is the one at hand.

    Raises:
        SettingsError: they are wrong, or the kubeconfig leads to another cluster.
    """
    # Where `pulumi` itself finds it: the sandbox has files of its own.
    other = Path(os.environ.get("PULUMI_OPTION_CONFIG_FILE", ""))
    name = f"Pulumi.{stack}.yaml"
    settings = read_file(other if other.name == name else _ROOT / name)
    if problems := kubeconfig.problems(settings.cluster):
        raise SettingsError(stack, problems)
    return settings
