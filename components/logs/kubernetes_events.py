"""Kubernetes' events as lines: a Deployment that watches them, as Kubernetes itself keeps them for an hour only."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
from pulumi_kubernetes import apps, core

from ..foundation import rights
from ..foundation.metadata import metadata
from ..foundation.names import AGENTS, MONITORING
from ..foundation.placement import Placement
from ..foundation.pod_security import AS_NOBODY, RESTRICTED
from ..foundation.set_up_job import IMAGE
from .events import watch

NAME = "kubernetes-events"

_PROGRAM, _PLACES = "/program", "/places"


@dataclass(frozen=True, kw_only=True)
class KubernetesEventsArgs:
    """Where it runs, and the application's namespace: its events are kept, the stack's own, and those of nodes."""

    placement: Placement
    application_namespace: str


class KubernetesEvents(pulumi.ComponentResource):
    """The program, the right to read events where they are, and the Deployment; Filebeat ships what it writes."""

    def __init__(self, name: str, args: KubernetesEventsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:KubernetesEvents", name, {}, opts)
        namespaces = list(dict.fromkeys([args.application_namespace, MONITORING, AGENTS]))
        account = core.v1.ServiceAccount(
            NAME,
            metadata=metadata(NAME, NAME, args.placement.namespace),
            automount_service_account_token=False,
            opts=pulumi.ResourceOptions(parent=self),
        )
        of_account = rights.Rights(
            component=NAME,
            account=NAME,
            namespace=args.placement.namespace,
            rules=[{"apiGroups": [""], "resources": ["events"], "verbs": rights.READ}],
        )
        given = [
            resource
            for namespace in dict.fromkeys([*watch.OF_NODES, *namespaces])
            for resource in rights.in_namespace(f"{NAME}-of-{namespace}", of_account, self, namespace)
        ]
        program = Path(watch.__file__).read_text()
        config = core.v1.ConfigMap(
            NAME,
            metadata=metadata(NAME, NAME, args.placement.namespace),
            data={"watch.py": program},
            opts=pulumi.ResourceOptions(parent=self),
        )
        labels = {"app.kubernetes.io/name": NAME}
        apps.v1.Deployment(
            NAME,
            metadata=metadata(NAME, NAME, args.placement.namespace),
            spec={
                "replicas": 1,
                "strategy": {"type": "Recreate"},  # two at a time would write each event twice
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {**_pod(program, namespaces), **args.placement.priority},
                },
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[account, config, *given]),
        )
        self.register_outputs({})


def _pod(program: str, namespaces: list[str]) -> dict[str, Any]:
    environment = {
        "ACCOUNT": "/var/run/secrets/kubernetes.io/serviceaccount",
        "NAMESPACES": " ".join(namespaces),
        "PLACES": _PLACES,
        "PROGRAM": hashlib.sha256(program.encode()).hexdigest()[:8],  # a changed program restarts the pod
    }
    return {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": True,
        "securityContext": AS_NOBODY,
        "containers": [
            {
                "name": NAME,
                "image": IMAGE,
                "command": ["python", f"{_PROGRAM}/watch.py"],
                "env": [{"name": key, "value": value} for key, value in environment.items()],
                "resources": {"requests": {"cpu": "10m", "memory": "48Mi"}, "limits": {"memory": "128Mi"}},
                "securityContext": RESTRICTED,
                "volumeMounts": [
                    {"name": "program", "mountPath": _PROGRAM, "readOnly": True},
                    {"name": "places", "mountPath": _PLACES},
                ],
            }
        ],
        "volumes": [
            {"name": "program", "configMap": {"name": NAME}},
            {"name": "places", "emptyDir": {}},  # outlives the container, not the pod
        ],
    }
