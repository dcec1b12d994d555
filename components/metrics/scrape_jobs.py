"""What Prometheus scrapes: the guide's eight jobs, cAdvisor, kube-state-metrics and the stack's own components."""

from dataclasses import dataclass
from typing import Any

import pulumi
import yaml
from pulumi_kubernetes import core

from ..foundation.metadata import metadata
from ..foundation.names import AGENTS, BACKUP, ELASTICSEARCH_EXPORTER, MONITORING, PROMETHEUS_SCRAPE_CONFIGS, WEB_USER
from ..settings.application import ApplicationSettings
from ..settings.foundation import ExposureSettings

_PASSWORD_FILE = "/etc/prometheus/web/password"

_SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_API_ACCESS = {
    "scheme": "https",
    "tls_config": {"ca_file": f"{_SERVICE_ACCOUNT}/ca.crt"},
    "authorization": {"credentials_file": f"{_SERVICE_ACCOUNT}/token"},  # D-018
}
# `namespace`, `pod` and `node` are what rules and dashboards call a target (D-011, D-012).
_IDENTITY = [
    {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
    {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
    {"source_labels": ["__meta_kubernetes_pod_node_name"], "target_label": "node"},
]

Job = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ScrapeConfigsArgs:
    """Where the ConfigMap goes, what is watched, whether Prometheus and Alertmanager ask for a password.

    And whether there are backups.
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
    """Return the scrape configuration files by name."""
    return {
        f"{job['job_name']}.yml": yaml.safe_dump({"scrape_configs": [job]}, sort_keys=False)
        for job in jobs(application, exposure.authentication, backups)
    }


def jobs(application: ApplicationSettings, authentication: bool, backups: bool) -> list[Job]:
    """Return all scrape jobs."""
    basic_auth = {"basic_auth": {"username": WEB_USER, "password_file": _PASSWORD_FILE}} if authentication else {}
    app = application.namespace
    return [
        _service("kubernetes-apiservers", "default", "kubernetes", "https", more=_API_ACCESS),  # S-015
        _kubelet("kubernetes-nodes", "/metrics"),  # S-016
        _kubelet("kubernetes-nodes-cadvisor", "/metrics/cadvisor"),  # D-001
        _annotated_pods(),
        # 15s instead of the guide's 30s, so that an outage is told within three minutes.
        _service("mangakai-backend", app, "mangakai-backend-service", "metrics", interval="15s"),
        _service("redis", app, "mangakai-redis-service", 9121, interval="30s"),
        _service("postgres", app, "postgres-exporter", 9187, interval="30s"),
        _service("nginx", app, "mangakai-nginx-service", 9113, interval="30s"),
        _service("node-exporter", AGENTS, "node-exporter", "metrics"),  # D-004
        # It speaks of others: their namespace and pod must not be hidden by its own (H-014).
        _service("kube-state-metrics", MONITORING, "kube-state-metrics", "http", more={"honor_labels": True}),
        _service("prometheus", MONITORING, "prometheus", "http", more=basic_auth),  # D-019 from here on
        _service("alertmanager", MONITORING, "alertmanager", "http", more=basic_auth),
        _service("grafana", MONITORING, "grafana", "service"),
        _service("jaeger-collector", MONITORING, "mangakai-jaeger-collector", "admin-http"),
        _service("jaeger-query", MONITORING, "mangakai-jaeger-query", "admin-http"),
        _elasticsearch(),  # S-067
        _pods("elastic-operator", MONITORING, "app_kubernetes_io_name", "elastic-operator", "metrics"),
        _pods("jaeger-operator", MONITORING, "app_kubernetes_io_name", "jaeger-operator", "metrics"),
        *(
            [_pods("backup", MONITORING, "app_kubernetes_io_name", "(prometheus|grafana|backup)", BACKUP)]
            if backups
            else []
        ),
    ]


def _service(
    job: str, namespace: str, service: str, port: str | int, interval: str | None = None, more: Job | None = None
) -> Job:
    """Return a job for each pod behind a Service, never its virtual address, which is a new pod each time (D-008)."""
    port_label = "__meta_kubernetes_endpointslice_port" + ("_name" if isinstance(port, str) else "")
    return {
        "job_name": job,
        **({"scrape_interval": interval} if interval else {}),
        **(more or {}),
        "kubernetes_sd_configs": [{"role": "endpointslice", "namespaces": {"names": [namespace]}}],  # D-005, D-006
        "relabel_configs": [
            {
                "source_labels": ["__meta_kubernetes_service_name", port_label],
                "regex": f"{service};{port}",
                "action": "keep",
            },
            *_IDENTITY,
            {"source_labels": ["__meta_kubernetes_service_name"], "target_label": "service"},
        ],
    }


def _kubelet(job: str, path: str) -> Job:
    """Return a job for each kubelet itself.

    Through the API server it would take the right `nodes/proxy`, which also runs commands in any container
    (D-002, D-003).
    """
    return {
        "job_name": job,
        "metrics_path": path,
        **_API_ACCESS,
        # A kubelet's certificate is its own, signed by nobody we know, unless the cluster rotates them.
        "tls_config": {"ca_file": f"{_SERVICE_ACCOUNT}/ca.crt", "insecure_skip_verify": True},
        "kubernetes_sd_configs": [{"role": "node"}],
        "relabel_configs": [
            {"source_labels": ["__meta_kubernetes_node_name"], "target_label": "node"},
            {
                "source_labels": ["__meta_kubernetes_node_label_topology_kubernetes_io_zone"],
                "target_label": "zone",
            },
        ],
    }


def _pods(job: str, namespace: str, label: str, value: str, port: str) -> Job:
    """Return a job for the pods with one label, where no Service leads to the port."""
    return {
        "job_name": job,
        "kubernetes_sd_configs": [{"role": "pod", "namespaces": {"names": [namespace]}}],
        "relabel_configs": [
            {
                "source_labels": [f"__meta_kubernetes_pod_label_{label}", "__meta_kubernetes_pod_container_port_name"],
                "regex": f"{value};{port}",
                "action": "keep",
            },
            *_IDENTITY,
        ],
    }


def _elasticsearch() -> Job:
    """Return the job for the exporters; the label `elasticsearch` is the cluster's name.

    The exporters' own `cluster` would hide the stack's, and their `host` is an address that each start changes.
    """
    job = _pods("elasticsearch", MONITORING, "app_kubernetes_io_name", ELASTICSEARCH_EXPORTER, "metrics")
    name = {
        "source_labels": ["__meta_kubernetes_pod_label_app_kubernetes_io_instance"],
        "target_label": "elasticsearch",
    }
    return {
        **job,
        "scrape_interval": "30s",  # each scrape asks every node
        "relabel_configs": [*job["relabel_configs"], name],
        "metric_relabel_configs": [{"regex": "cluster|host", "action": "labeldrop"}],
    }


def _annotated_pods() -> Job:
    """Return the job for pods that ask to be scraped (S-017). Pods of a Service above must not ask too (D-013)."""
    annotation = "__meta_kubernetes_pod_annotation_prometheus_io_"
    return {
        "job_name": "kubernetes-pods",
        "kubernetes_sd_configs": [{"role": "pod"}],
        "relabel_configs": [
            {"source_labels": [f"{annotation}scrape"], "regex": "true", "action": "keep"},
            {
                "source_labels": ["__meta_kubernetes_pod_phase"],
                "regex": "Pending|Succeeded|Failed|Completed",
                "action": "drop",
            },  # D-016
            {
                "source_labels": ["__meta_kubernetes_namespace"],
                "regex": f"{MONITORING}|{AGENTS}",
                "action": "drop",
            },
            {"source_labels": [f"{annotation}scheme"], "regex": "(https?)", "target_label": "__scheme__"},  # D-014
            {"source_labels": [f"{annotation}path"], "regex": "(.+)", "target_label": "__metrics_path__"},
            {
                "source_labels": [f"{annotation}port", "__meta_kubernetes_pod_ip"],
                "regex": r"(\d+);((([0-9]+?)(\.|$)){4})",
                "replacement": "$2:$1",
                "target_label": "__address__",
            },
            {
                "source_labels": [f"{annotation}port", "__meta_kubernetes_pod_ip"],
                "regex": r"(\d+);(([A-Fa-f0-9]{0,4}::?){1,7}[A-Fa-f0-9]{1,4})",
                "replacement": "[$2]:$1",
                "target_label": "__address__",
            },  # D-015
            *_IDENTITY,
            # One label by which to group, not all of them: a pod-template-hash is a new series each rollout (D-017).
            {"source_labels": ["__meta_kubernetes_pod_label_app_kubernetes_io_name"], "target_label": "app"},
        ],
    }
