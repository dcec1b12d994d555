"""The alert rules, from `rules/` to the pods of Prometheus, with what the stack changes about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pulumi
from pulumi_kubernetes import core

from ..foundation.certificate import UNTIL
from ..foundation.metadata import metadata
from ..foundation.names import PROMETHEUS_RULES
from ..settings.alerts import AlertSettings, AlertsSettings
from ..settings.application import ApplicationSettings
from . import yaml_text
from .rule_files import CERTIFICATES_UNTIL, GENERATION_QUEUES, RULES, THRESHOLD, Rule, constant

_RUNBOOKS = "https://wiki.mangakai.com/runbooks/"


@dataclass(frozen=True, kw_only=True)
class AlertRulesArgs:
    """The arguments of AlertRules.

    Args:
        namespace: of the ConfigMap.
        settings: what the stack changes.
        application: what is watched.
        certificates_until: when the first of the certificates ends that the program makes.
    """

    namespace: str
    settings: AlertsSettings
    application: ApplicationSettings
    certificates_until: datetime


class AlertRules(pulumi.ComponentResource):
    """The ConfigMap `prometheus-rules`, one file a concern."""

    def __init__(self, name: str, args: AlertRulesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:AlertRules", name, {}, opts)
        core.v1.ConfigMap(
            PROMETHEUS_RULES,
            metadata=metadata(PROMETHEUS_RULES, "prometheus", args.namespace),
            data=render(args.settings, args.application, args.certificates_until),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


def render(
    settings: AlertsSettings, application: ApplicationSettings, certificates_until: datetime = UNTIL
) -> dict[str, str]:
    """Return the rule files by name, as this stack has them; the arguments are those of `AlertRulesArgs`."""
    files = {}
    own = {
        GENERATION_QUEUES: _matcher(application.generation_queues),
        CERTIFICATES_UNTIL: constant(certificates_until),
    }
    for name, said in yaml_text.load_folder(RULES, application.namespace).items():
        groups = said["groups"]
        for group in groups:
            group["rules"] = [
                _changed(rule, settings.rules.get(rule["alert"], AlertSettings()), settings.runbooks, own)
                for rule in group["rules"]
                if settings.rules.get(rule["alert"], AlertSettings()).enabled
            ]
        files[name] = yaml_text.dump({"groups": groups})
    return files


def _matcher(queues: Sequence[str]) -> str:
    """Return the matcher of the queues in which manga wait to be generated."""
    return f'queue=~"{"|".join(queue.replace(".", "[.]") for queue in queues)}"' if queues else GENERATION_QUEUES


def _changed(rule: Rule, settings: AlertSettings, runbooks: str, own: Mapping[str, str]) -> Rule:
    """Return a rule as this stack wants it, `own` in place of what all have."""
    number = settings.thresholds(rule["alert"]).get(rule["labels"]["severity"])
    labels = rule["labels"] | ({"severity": settings.severity} if settings.severity else {}) | settings.labels
    annotations = rule["annotations"]
    page = annotations["runbook_url"].removeprefix(_RUNBOOKS)
    expression = rule["expr"]
    for text, of_stack in own.items():
        expression = expression.replace(text, of_stack)
    return {
        **rule,
        "expr": expression if number is None else THRESHOLD.sub(f"{number:.12g}", expression),
        **({"for": settings.for_} if settings.for_ else {}),
        "labels": labels,
        "annotations": annotations | {"runbook_url": f"{runbooks.rstrip('/')}/{page}"},
    }
