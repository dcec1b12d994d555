"""Filebeat: on each node, ships the lines of the application's containers, and Kubernetes' events, to Logstash."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes import core

from ..elastic.connection import ElasticsearchConnection
from ..foundation.certificate import derived
from ..foundation.metadata import metadata
from ..foundation.names import MONITORING
from ..foundation.placement import Placement
from ..foundation.pod_security import RESTRICTED, SECCOMP
from ..settings.logs import FilebeatSettings
from . import multiline
from .kubernetes_events import NAME as EVENTS

_ACCOUNT = "filebeat"
_LOGS = "/var/log/containers"
# Where it writes what its log may not show, on a root that is read-only:
# https://github.com/elastic/cloud-on-k8s/issues/8605
_OWN_LOGS = "/usr/share/filebeat/logs"
_CERTIFICATE, _CERTIFICATES = "filebeat-certificate", "/etc/filebeat-certificates"
# Root owns the containers' files; those of `paths` may be anybody's, and are only read.
_READS_ANY_FILE = {
    **RESTRICTED,
    **SECCOMP,
    "runAsUser": 0,
    "capabilities": {"drop": ["ALL"], "add": ["DAC_READ_SEARCH"]},
}


@dataclass(frozen=True, kw_only=True)
class FilebeatArgs:
    """The arguments of Filebeat.

    Args:
        placement: where it runs: it reads the node's files, which `monitoring` forbids.
        settings: its size.
        elasticsearch: the one that the lines end in, which has the version of the Elastic Stack.
        logstash: host:port of the Beats input.
        application_namespace: whose containers' lines it ships.
        transport_seed: the secret from which its certificate comes, as Logstash's does.
        credentials: the annotation that changes with it.
    """

    placement: Placement
    settings: FilebeatSettings
    elasticsearch: ElasticsearchConnection
    logstash: str
    application_namespace: str
    transport_seed: pulumi.Input[str]
    credentials: Mapping[str, pulumi.Input[str]]


class Filebeat(pulumi.ComponentResource):
    """The Release with the custom resource and its rights."""

    def __init__(self, name: str, args: FilebeatArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:Filebeat", name, {}, opts)
        certificate = core.v1.Secret(
            _CERTIFICATE,
            metadata=metadata(_CERTIFICATE, "filebeat", args.placement.namespace),
            string_data=pulumi.Output.from_input(args.transport_seed).apply(lambda seed: derived(seed, "filebeat")),
            opts=pulumi.ResourceOptions(parent=self),
        )
        args.placement.charts.release(
            "filebeat",
            "eck-beats",
            args.placement.namespace,
            _values(args),
            pulumi.ResourceOptions(parent=self, depends_on=[certificate]),
        )
        self.register_outputs({})


def render(settings: FilebeatSettings, logstash: str, application_namespace: str) -> dict[str, Any]:
    """Return filebeat.yml as a mapping."""
    inputs = [_containers([application_namespace, *settings.namespaces])]
    if settings.paths:
        inputs.append(_files(settings.paths))
    return {
        "filebeat.inputs": inputs,
        "processors": [{"add_host_metadata": {"when.not.contains.tags": "forwarded"}}],
        "output.logstash": {
            "hosts": [logstash],
            # A connection ends after a minute, and the next goes to any Logstash: a pipelined one would not.
            "ttl": "60s",
            "pipelining": 0,
            "ssl": {  # D-094: both sides show a certificate of the same authority
                "certificate_authorities": [f"{_CERTIFICATES}/ca.crt"],
                "certificate": f"{_CERTIFICATES}/tls.crt",
                "key": f"{_CERTIFICATES}/tls.key",
            },
        },
        # What waits for Logstash, at most 192 MiB: Filebeat must not run out of memory for it.
        "queue.mem": {"events": 1024, "flush.min_events": 512},
    }


def _containers(namespaces: list[str]) -> dict[str, Any]:
    return {
        # D-095, D-096: containerd's files, by the input that Filebeat 9 has
        "type": "filestream",
        "id": "containers",
        "paths": [
            *(f"{_LOGS}/*_{namespace}_*.log" for namespace in namespaces),
            f"{_LOGS}/{EVENTS}-*_{MONITORING}_{EVENTS}-*.log",
        ],
        "prospector.scanner.symlinks": True,
        # A file is known by its first bytes: by default 1024, and one that never has so many would never be read. Each
        # line begins with its nanosecond.
        "prospector.scanner.fingerprint.length": 64,
        "message_max_bytes": multiline.MAX_BYTES,
        "parsers": [{"container": {}}, multiline.parser()],
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


def _files(paths: list[str]) -> dict[str, Any]:
    """Return the input of files of the node (S-079), which hold the backend's lines."""
    return {
        "type": "filestream",
        "id": "files",
        "paths": paths,
        "message_max_bytes": multiline.MAX_BYTES,
        "parsers": [multiline.parser()],
        "processors": [{"add_fields": {"target": "service", "fields": {"name": "mangakai-backend"}}}],
    }


def _folders(paths: list[str]) -> list[str]:
    """Return the folders to mount, each once: of /var/log/*/app.log it is /var/log."""
    return sorted({re.split(r"[*?\[]", path, maxsplit=1)[0].rpartition("/")[0] for path in paths})


def _values(args: FilebeatArgs) -> dict[str, Any]:
    host_paths = {"varlogcontainers": _LOGS, "varlogpods": "/var/log/pods"}
    host_paths |= {f"files-{index}": folder for index, folder in enumerate(_folders(args.settings.paths))}
    return {
        "fullnameOverride": "filebeat",
        "type": "filebeat",
        "version": args.elasticsearch.version,
        "config": render(args.settings, args.logstash, args.application_namespace),
        "daemonSet": {
            "podTemplate": {
                "metadata": {"annotations": args.credentials},
                "spec": {
                    **args.placement.priority,
                    "serviceAccountName": _ACCOUNT,
                    "automountServiceAccountToken": True,
                    "tolerations": [{"operator": "Exists", "effect": "NoSchedule"}],
                    "containers": [
                        {
                            "name": "filebeat",
                            "securityContext": _READS_ANY_FILE,
                            "resources": args.settings.resources.manifest(),
                            "env": [{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
                            "volumeMounts": [
                                *(
                                    {"name": name, "mountPath": path, "readOnly": True}
                                    for name, path in host_paths.items()
                                ),
                                {"name": "certificates", "mountPath": _CERTIFICATES, "readOnly": True},
                                {"name": "logs", "mountPath": _OWN_LOGS},
                            ],
                        }
                    ],
                    "volumes": [
                        *({"name": name, "hostPath": {"path": path}} for name, path in host_paths.items()),
                        {"name": "certificates", "secret": {"secretName": _CERTIFICATE}},
                        {"name": "logs", "emptyDir": {}},
                    ],
                },
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
