"""The alert rules, from `rules/` to the pods of Prometheus, with what the stack changes about them."""

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes import core

from ..foundation.metadata import metadata
from ..foundation.names import PROMETHEUS_RULES
from ..settings.alerts import AlertSettings, AlertsSettings
from . import yaml_text
from .rule_files import RULES, THRESHOLD, Rule

_RUNBOOKS = "https://wiki.mangakai.com/runbooks/"


@dataclass(frozen=True, kw_only=True)
class AlertRulesArgs:
    """The arguments of AlertRules: the ConfigMap's namespace, what the stack changes, the namespace that is watched."""

    namespace: str
    settings: AlertsSettings
    application_namespace: str


class AlertRules(pulumi.ComponentResource):
    """The ConfigMap `prometheus-rules`, one file a concern."""

    def __init__(self, name: str, args: AlertRulesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:AlertRules", name, {}, opts)
        core.v1.ConfigMap(
            PROMETHEUS_RULES,
            metadata=metadata(PROMETHEUS_RULES, "prometheus", args.namespace),
            data=render(args.settings, args.application_namespace),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


def render(settings: AlertsSettings, application_namespace: str) -> dict[str, str]:
    """Return the rule files by name, as this stack has them."""
    files = {}
    for name, said in yaml_text.load_folder(RULES, application_namespace).items():
        groups = said["groups"]
        for group in groups:
            group["rules"] = [
                _changed(rule, settings.rules.get(rule["alert"], AlertSettings()), settings.runbooks)
                for rule in group["rules"]
                if settings.rules.get(rule["alert"], AlertSettings()).enabled
            ]
        files[name] = yaml_text.dump({"groups": groups})
    return files


def _changed(rule: Rule, settings: AlertSettings, runbooks: str) -> Rule:
    """Return a rule as this stack wants it."""
    number = settings.thresholds(rule["alert"]).get(rule["labels"]["severity"])
    labels = rule["labels"] | ({"severity": settings.severity} if settings.severity else {}) | settings.labels
    annotations = rule["annotations"]
    page = annotations["runbook_url"].removeprefix(_RUNBOOKS)
    return {
        **rule,
        "expr": rule["expr"] if number is None else THRESHOLD.sub(f"{number:.12g}", rule["expr"]),
        **({"for": settings.for_} if settings.for_ else {}),
        "labels": labels,
        "annotations": annotations | {"runbook_url": f"{runbooks.rstrip('/')}/{page}"},
    }
