"""The scrape jobs, from `scrape/` to the pods of Prometheus, with what the stack changes about them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
from pulumi_kubernetes import core

from ..foundation.metadata import metadata
from ..foundation.names import BACKUP, PROMETHEUS_SCRAPE_CONFIGS
from ..settings.application import ApplicationSettings
from ..settings.foundation import ExposureSettings
from . import yaml_text
from .prometheus import WEB_PASSWORD

SCRAPE = Path(__file__).parent.parent.parent / "scrape"
# The jobs of what only a stack with a bucket has.
_ONLY_WITH_BACKUPS = frozenset({BACKUP})

Job = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ScrapeConfigsArgs:
    """The arguments of ScrapeConfigs.

    Args:
        namespace: of Prometheus.
        application: which namespace is the application's.
        exposure: whether Prometheus and Alertmanager ask for a password.
        backups: whether there are any.
    """

    namespace: str
    application: ApplicationSettings
    exposure: ExposureSettings
    backups: bool


class ScrapeConfigs(pulumi.ComponentResource):
    """The ConfigMap `prometheus-scrape-configs`, one file a job."""

    def __init__(self, name: str, args: ScrapeConfigsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:ScrapeConfigs", name, {}, opts)
        core.v1.ConfigMap(
            PROMETHEUS_SCRAPE_CONFIGS,
            metadata=metadata(PROMETHEUS_SCRAPE_CONFIGS, "prometheus", args.namespace),
            data=render(args.application, args.exposure, args.backups),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


def render(application: ApplicationSettings, exposure: ExposureSettings, backups: bool) -> dict[str, str]:
    """Return the scrape configuration files by name, as this stack has them."""
    return {
        f"{job['job_name']}.yml": yaml_text.dump({"scrape_configs": [job]})
        for job in jobs(application, exposure.authentication, backups)
    }


def jobs(application: ApplicationSettings, authentication: bool, backups: bool) -> list[Job]:
    """Return the scrape jobs of a stack."""
    left_out = frozenset() if backups else _ONLY_WITH_BACKUPS
    files = yaml_text.load_folder(SCRAPE, application.namespace).values()
    found: list[Job] = [job for said in files for job in said["scrape_configs"]]
    for job in found:
        if not authentication and job.get("basic_auth", {}).get("password_file") == WEB_PASSWORD:
            del job["basic_auth"]
    return [job for job in found if job["job_name"] not in left_out]
