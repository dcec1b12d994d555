"""Filebeat: on each node, ships the lines of the application's containers to Logstash."""

from dataclasses import dataclass
from typing import Any

import pulumi

from ..settings.logs import FilebeatSettings
from ..site import Site
from ..store import Store

_ACCOUNT = "filebeat"
_LOGS = "/var/log/containers"


@dataclass(frozen=True)
class FilebeatArgs:
    """What Filebeat is told.

    Args:
        site: where it runs: it reads the node's files, which `monitoring` forbids.
        settings: its size.
        store: the Elasticsearch that the lines end in, which has the version of the Elastic Stack.
        logstash: host:port of the Beats input.
        application_namespace: whose containers' lines it ships.
    """

    site: Site
    settings: FilebeatSettings
    store: Store
    logstash: str
    application_namespace: str


class Filebeat(pulumi.ComponentResource):
    """The Release with the custom resource and its rights."""

    def __init__(self, name: str, args: FilebeatArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:Filebeat", name, {}, opts)
        args.site.charts.release(
            "filebeat", "eck-beats", args.site.namespace, _values(args), pulumi.ResourceOptions(parent=self)
        )
        self.register_outputs({})


def render(logstash: str, application_namespace: str) -> dict[str, Any]:
    """Return filebeat.yml as a mapping."""
    return {
        "filebeat.inputs": [
            {
                # D-095, D-096: containerd's files, by the input that Filebeat 9 has
                "type": "filestream",
                "id": "containers",
                "paths": [f"{_LOGS}/*_{application_namespace}_*.log"],
                "prospector.scanner.symlinks": True,
                "parsers": [
                    {"container": {}},
                    # A Python traceback is one event (D-101). What starts one: the guide's date, nginx's own, JSON, or
                    # the client's address of an access line.
                    {
                        "multiline": {
                            "type": "pattern",
                            "pattern": r"^\d{4}[-/]\d{2}[-/]\d{2}|^\{|^[0-9A-Fa-f.:]+ - ",
                            "negate": True,
                            "match": "after",
                        }
                    },
                ],
                "processors": [
                    {
                        "add_kubernetes_metadata": {  # once, and no Docker socket (D-097, D-098)
                            "host": "${NODE_NAME}",
                            "matchers": [{"logs_path": {"logs_path": f"{_LOGS}/"}}],
                        }
                    },
                    {
                        # D-083, D-084: one name for the service, in one place, for the backend and nginx alike
                        "copy_fields": {
                            "fields": [{"from": "kubernetes.labels.app_kubernetes_io/name", "to": "service.name"}],
                            "fail_on_error": False,
                            "ignore_missing": True,
                        }
                    },
                ],
            }
        ],
        "processors": [{"add_host_metadata": {"when.not.contains.tags": "forwarded"}}],
        "output.logstash": {"hosts": [logstash]},
    }


def _values(args: FilebeatArgs) -> dict[str, Any]:
    host_paths = {"varlogcontainers": _LOGS, "varlogpods": "/var/log/pods"}
    return {
        "fullnameOverride": "filebeat",
        "type": "filebeat",
        "version": args.store.version,
        "config": render(args.logstash, args.application_namespace),
        "daemonSet": {
            "podTemplate": {
                "spec": {
                    "serviceAccountName": _ACCOUNT,
                    "automountServiceAccountToken": True,
                    "tolerations": [{"operator": "Exists", "effect": "NoSchedule"}],
                    "containers": [
                        {
                            "name": "filebeat",
                            "securityContext": {"runAsUser": 0},
                            "resources": args.settings.resources.manifest(),
                            "env": [
                                {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
                            ],  # D-099
                            "volumeMounts": [
                                {"name": name, "mountPath": path, "readOnly": True} for name, path in host_paths.items()
                            ],
                        }
                    ],
                    "volumes": [{"name": name, "hostPath": {"path": path}} for name, path in host_paths.items()],
                }
            }
        },
        "serviceAccount": {"name": _ACCOUNT},
        "clusterRole": {
            "name": "mangakai-filebeat",
            "rules": [
                {"apiGroups": [""], "resources": ["namespaces", "pods", "nodes"], "verbs": ["get", "list", "watch"]},
                {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["get", "list", "watch"]},
                {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list", "watch"]},
            ],
        },
        "clusterRoleBinding": {
            "name": "mangakai-filebeat",
            "subjects": [{"kind": "ServiceAccount", "name": _ACCOUNT}],
            "roleRef": {"kind": "ClusterRole", "name": "mangakai-filebeat", "apiGroup": "rbac.authorization.k8s.io"},
        },
    }
