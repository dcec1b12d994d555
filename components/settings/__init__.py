"""The typed settings of a stack, read once: from the engine by the program, from the stack's file by `make render`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.runtime.config import CONFIG
from pydantic import ValidationError, model_validator

from . import kubeconfig, secrets
from .alerts import AlertsSettings
from .application import ApplicationSettings
from .aws import AwsSettings
from .backups import BackupSettings
from .errors import PROJECT, SettingsError, WrongValuesError, explain
from .foundation import ChartsSettings, ClusterSettings, ExposureSettings, StorageSettings
from .grafana import GrafanaSettings
from .logs import LogsSettings
from .metrics import AlertmanagerSettings, PrometheusSettings
from .network import NetworkSettings
from .secrets import Secrets
from .traces import TracesSettings
from .types import Model

__all__ = ["PROJECT", "Secrets", "Settings", "SettingsError", "of_project", "read_file", "read_stack"]


class Settings(Model):
    """Everything that differs between stacks, but the secrets."""

    cluster: ClusterSettings
    storage: StorageSettings = StorageSettings()
    exposure: ExposureSettings = ExposureSettings()
    network: NetworkSettings = NetworkSettings()
    prometheus: PrometheusSettings = PrometheusSettings()
    alerts: AlertsSettings = AlertsSettings()
    alertmanager: AlertmanagerSettings = AlertmanagerSettings()
    grafana: GrafanaSettings = GrafanaSettings()
    logs: LogsSettings = LogsSettings()
    traces: TracesSettings = TracesSettings()
    application: ApplicationSettings = ApplicationSettings()
    aws: AwsSettings | None = None
    backup: BackupSettings = BackupSettings()
    charts: ChartsSettings = ChartsSettings()

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, values: Any) -> Any:
        # Pulumi.yaml declares every key with the default {}, since Pulumi refuses a declared key without a value.
        return (
            {k: v for k, v in values.items() if v != {} or k not in cls.model_fields}
            if isinstance(values, dict)
            else values
        )

    @model_validator(mode="after")
    def _what_aws_brings_has_an_account(self) -> "Settings":
        remote_write = self.prometheus.remote_write
        wants = {
            "exposure.domain: its certificate and records are made in": self.exposure.domain is not None,
            "backup: the bucket is made in": "backup" in self.model_fields_set,
            "prometheus.remoteWrite: requests without a username are signed by a role of": (
                remote_write is not None and not remote_write.username
            ),
        }
        lacking = [what for what, wanted in wants.items() if wanted and not self.aws]
        if lacking:
            remedy = "the account that aws.accountId names; set aws.accountId and aws.oidcIssuer, or remove it"
            raise WrongValuesError(*(f"{what} {remedy}" for what in lacking))
        return self


def read_stack() -> tuple[Settings, Secrets]:
    """Return the settings and secrets of the stack that the engine runs.

    Raises:
        SettingsError: naming every wrong or missing key at once.
    """
    stack, values = pulumi.get_stack(), of_project(CONFIG.get())
    settings, problems = _validate(
        {key: _parsed(value) for key, value in values.items() if key not in secrets.PURPOSES}
    )
    # Where the settings are wrong, the secrets that the defaults need are asked for.
    known = settings or Settings.model_construct()  # type: ignore[call-arg] # the cluster needs none
    problems += secrets.problems(stack, values, known)
    problems += _cluster_problems(values.get("cluster", "{}"))
    if settings is None or problems:
        raise SettingsError(stack, problems)
    return settings, secrets.read(settings)


def read_file(file: Path) -> Settings:
    """Return the settings in the stack file `file` (Pulumi.<stack>.yaml), without its secrets and without an engine.

    Raises:
        SettingsError: naming every wrong key at once, or that there is no such file.
    """
    stack = file.name.removeprefix("Pulumi.").removesuffix(".yaml")
    if not file.is_file():
        stacks = ", ".join(sorted(path.name.split(".")[1] for path in file.parent.glob("Pulumi.*.yaml")))
        raise SettingsError(stack, [f"stack: {file.name} does not exist; there are: {stacks}"])
    values = of_project(yaml.safe_load(file.read_text()).get("config") or {})
    settings, problems = _validate({key: value for key, value in values.items() if key not in secrets.PURPOSES})
    if settings is None:
        raise SettingsError(stack, problems)
    return settings


def of_project(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a stack's configuration that are this project's, by key: not Pulumi's or a provider's.

    A key without a project is of this one, as Pulumi reads it.
    """
    pairs = ((key.rpartition(":"), value) for key, value in config.items())
    return {key: value for (project, _, key), value in pairs if project in ("", PROJECT)}


def _validate(values: Mapping[str, Any]) -> tuple[Settings | None, list[str]]:
    try:
        return Settings.model_validate(values), []
    except ValidationError as error:
        return None, explain(error, Settings)


def _cluster_problems(value: str) -> list[str]:
    """Return what is wrong with the kubeconfig, also where other settings are wrong."""
    try:
        return kubeconfig.problems(ClusterSettings.model_validate(_parsed(value)))
    except ValidationError:
        return []  # told already


def _parsed(value: str) -> Any:
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value
