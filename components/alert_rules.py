"""The alert rules, from `rules/` to the pods of Prometheus."""

from dataclasses import dataclass
from pathlib import Path

import pulumi
from pulumi_kubernetes import core

from .metadata import metadata
from .names import PROMETHEUS_RULES

_RULES = Path(__file__).parent.parent / "rules"
_NAMESPACE_IN_RULES = 'namespace="mangakai-prod"'


@dataclass(frozen=True)
class AlertRulesArgs:
    """Where the ConfigMap goes, and which namespace the rules watch."""

    namespace: str
    application_namespace: str


class AlertRules(pulumi.ComponentResource):
    """The ConfigMap `prometheus-rules`, one file a concern."""

    def __init__(self, name: str, args: AlertRulesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:AlertRules", name, {}, opts)
        core.v1.ConfigMap(
            PROMETHEUS_RULES,
            metadata=metadata(PROMETHEUS_RULES, "prometheus", args.namespace),
            data=render(args.application_namespace),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


def render(application_namespace: str) -> dict[str, str]:
    """Return the rule files by name, watching `application_namespace` where the files say mangakai-prod (D-045)."""
    return {
        path.name: path.read_text().replace(_NAMESPACE_IN_RULES, f'namespace="{application_namespace}"')
        for path in sorted(_RULES.glob("*.yml"))
    }
