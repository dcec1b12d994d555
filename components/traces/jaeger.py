"""Jaeger: the operator with its certificate, and the custom resource that it turns into collector and query.

Jaeger v1 and its operator have reached their end of life (D-106); they are what was asked for, with the last images,
and lie in this file alone, so that Jaeger v2 can take their place.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes import apiextensions, core

from ..elastic.awaited import awaited
from ..elastic.connection import ElasticsearchConnection
from ..foundation import rights
from ..foundation.certificate import self_signed
from ..foundation.metadata import metadata
from ..foundation.names import JAEGER_OPERATOR_RIGHTS, MONITORING
from ..foundation.placement import Placement
from ..foundation.pod_security import AS_NOBODY, NON_ROOT, RESTRICTED
from ..foundation.rollout_status import ANNOTATION, RolloutStatus, RolloutStatusArgs
from ..foundation.scheduling import apart, disruption_budget
from ..foundation.web_interfaces import JAEGER
from ..settings.traces import TracesSettings
from . import indices

NAME = "mangakai-jaeger"
PORT = JAEGER.port

# renovate: datasource=docker depName=jaegertracing/jaeger-collector
_VERSION = "1.76.0"
# renovate: datasource=docker depName=jaegertracing/jaeger-operator
_OPERATOR_VERSION = "1.65.0"
_OPERATOR = "jaeger-operator"
# The Secret of its webhook server: cert-manager's, or ours where there is none. Each has a name of its own, since
# cert-manager leaves what it made behind, and two cannot write one Secret.
_CERT_MANAGERS, _OURS = f"{_OPERATOR}-service-cert", f"{_OPERATOR}-certificate"
_STORAGE_SECRET = f"{NAME}-elasticsearch"
# The operator makes one for each Jaeger, whose token every pod would mount.
_ACCOUNT = f"{NAME}-without-token"
_CA = "/etc/elasticsearch/certificates"


def _rule(group: str, resources: list[str], verbs: list[str]) -> dict[str, list[str]]:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


_KEEPS = ["create", "delete", "list", "update"]
# What it makes of a Jaeger, and what it lists each time to delete what no Jaeger wants any more. Of the kinds in the
# last four lines a stack's Jaeger has none.
# Source: ReconcileJaeger.apply in pkg/controller/jaeger/jaeger_controller.go of the operator 1.65.0.
_OPERATORS_RULES = [
    _rule("jaegertracing.io", ["jaegers"], ["get", "list", "patch", "update", "watch"]),
    _rule("jaegertracing.io", ["jaegers/finalizers", "jaegers/status"], ["patch", "update"]),
    _rule("apps", ["deployments"], [*_KEEPS, "get", "watch"]),
    _rule("", ["configmaps", "serviceaccounts", "services"], _KEEPS),
    _rule("batch", ["cronjobs"], _KEEPS),
    _rule("", ["secrets"], ["list"]),
    _rule("apps", ["daemonsets"], ["list"]),
    _rule("autoscaling", ["horizontalpodautoscalers"], ["list"]),
    _rule("networking.k8s.io", ["ingresses"], ["list"]),
]


@dataclass(frozen=True, kw_only=True)
class JaegerArgs:
    """The arguments of Jaeger.

    Args:
        placement: where it runs: beside the Secrets of its storage (D-112).
        settings: its size.
        sample_ratio: the share of requests that whoever asks Jaeger how to sample is told to trace.
        elasticsearch: the one that holds the spans.
        storage: that Elasticsearch's component. Jaeger's operator need not wait for it.
        credentials: a text that changes with Jaeger's password.
    """

    placement: Placement
    settings: TracesSettings
    sample_ratio: float
    elasticsearch: ElasticsearchConnection
    storage: pulumi.Resource
    credentials: pulumi.Input[str]


class Jaeger(pulumi.ComponentResource):
    """The operator, and the custom resource `mangakai-jaeger`. `query` and `otlp` are for programs in the cluster."""

    query: str
    otlp: str

    def __init__(self, name: str, args: JaegerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:Jaeger", name, {}, opts)
        cert_manager = args.settings.cert_manager == "existing"
        needed = [*self._rights(args), *([] if cert_manager else [self._certificate(args)])]
        operator = args.placement.charts.release(
            _OPERATOR,
            "jaeger-operator",
            args.placement.namespace,
            {**_operator_values(cert_manager), **args.placement.priority},
            pulumi.ResourceOptions(parent=self, depends_on=needed),
        )
        login = core.v1.Secret(
            _STORAGE_SECRET,
            metadata=metadata(_STORAGE_SECRET, "jaeger", args.placement.namespace),
            string_data={"ES_USERNAME": args.elasticsearch.username, "ES_PASSWORD": args.elasticsearch.password},
            opts=pulumi.ResourceOptions(parent=self),
        )
        account = core.v1.ServiceAccount(
            _ACCOUNT,
            metadata=metadata(_ACCOUNT, "jaeger", args.placement.namespace),
            automount_service_account_token=False,
            opts=pulumi.ResourceOptions(parent=self),
        )
        # Collector and query end where their storage does not answer.
        storage = awaited(
            args.elasticsearch,
            args.placement,
            "jaeger",
            pulumi.ResourceOptions(parent=self, depends_on=[args.storage]),
        )
        jaeger_spec = _spec(args)
        # Each change reaches the pods, which read their password at their start only, and the sampling as it changes.
        read_at_start = {key: value for key, value in jaeger_spec.items() if key != "sampling"}
        configuration = pulumi.Output.json_dumps([read_at_start, args.credentials]).apply(
            lambda text: hashlib.sha256(text.encode()).hexdigest()[:8]
        )
        custom_resource = apiextensions.CustomResource(
            NAME,
            api_version="jaegertracing.io/v1",
            kind="Jaeger",
            metadata=metadata(
                NAME,
                "jaeger",
                args.placement.namespace,
                annotations={
                    # The operator writes its defaults into the spec; ours win.
                    "pulumi.com/patchForce": "true",
                    "pulumi.com/waitFor": "jsonpath={.status.phase}=Running",
                },
            ),
            spec={**jaeger_spec, "annotations": {ANNOTATION: configuration}},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[operator, login, account, storage]),
        )
        # The operator says Running as soon as a Deployment has as many ready pods as pods, of which a new one has none
        # (waitForStability in pkg/controller/jaeger/deployment.go).
        rollout = RolloutStatusArgs(
            context=args.placement.charts.context,
            namespace=args.placement.namespace,
            instance=NAME,
            deployments=[f"{NAME}-collector", f"{NAME}-query"],
            configuration=configuration,
            generation=custom_resource.metadata.apply(  # type: ignore[attr-defined]
                lambda metadata: metadata.get("generation", 0)
            ),
            timeout_seconds=args.placement.charts.timeout_seconds,
        )
        RolloutStatus(NAME, rollout, pulumi.ResourceOptions(parent=self, depends_on=[custom_resource]))
        replicas = {"collector": args.settings.collector.replicas, "query": args.settings.query.replicas}
        for part, count in replicas.items():
            if count > 1:
                own = pulumi.ResourceOptions(parent=self)
                disruption_budget(f"{NAME}-{part}", "jaeger", args.placement.namespace, _pods(part), own)
        self.query = f"http://{NAME}-query.{args.placement.namespace}.svc:{PORT}"
        self.otlp = f"http://{NAME}-collector.{args.placement.namespace}.svc:4318"
        self.register_outputs({"query": self.query, "otlp": self.otlp})

    def _rights(self, args: JaegerArgs) -> list[pulumi.Resource]:
        """Return the operator's rights, in place of its chart's Role.

        In the cluster it looks for the default ingress class, without which it never starts to work
        (detectDefaultIngressClass in pkg/autodetect/main.go of the operator 1.65.0).
        """

        def of_operator(rules: list[dict[str, list[str]]]) -> rights.Rights:
            return rights.Rights(component="jaeger", account=_OPERATOR, namespace=args.placement.namespace, rules=rules)

        classes = _rule("networking.k8s.io", ["ingressclasses"], rights.READ)
        return [
            *rights.in_cluster(JAEGER_OPERATOR_RIGHTS, of_operator([classes]), self),
            *rights.in_namespace(f"{_OPERATOR}-resources", of_operator(_OPERATORS_RULES), self),
        ]

    def _certificate(self, args: JaegerArgs) -> core.v1.Secret:
        """Return the TLS Secret of the operator's webhook server, which it starts whether or not anybody calls it."""
        pair = self_signed(f"jaeger-operator-webhook-service.{MONITORING}.svc")
        return core.v1.Secret(
            _CERT_MANAGERS,  # the resource keeps the name that the Secret once had
            metadata=metadata(_OURS, "jaeger", args.placement.namespace),
            type="kubernetes.io/tls",
            string_data={key: pulumi.Output.secret(text) for key, text in pair.items()},
            # A new pair in each run; the first one stays.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["stringData", "data"]),
        )


def _pods(part: str) -> dict[str, str]:
    """Return the labels that the operator gives the pods of a part."""
    return {"app.kubernetes.io/name": f"{NAME}-{part}", "app.kubernetes.io/component": part}


def _operator_values(cert_manager: bool) -> dict[str, Any]:
    return {
        "image": {"tag": _OPERATOR_VERSION},
        "rbac": {"create": False},
        "certs": {
            "issuer": {"create": cert_manager},
            "certificate": {"create": cert_manager, "secretName": _CERT_MANAGERS if cert_manager else _OURS},
        },
        "webhooks": {
            "mutatingWebhook": {"create": cert_manager},
            "validatingWebhook": {"create": cert_manager},
        },
        # It keeps what it watches of the namespace, Secrets and Deployments among it, in memory.
        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": NON_ROOT,
        "containerSecurityContext": RESTRICTED,
    }


def _spec(args: JaegerArgs) -> dict[str, Any]:
    """Return the spec of the Jaeger custom resource, sized as the guide sizes it.

    The guide's storage, which only OpenShift provides (D-109, D-110), is an Elasticsearch of our own.
    """
    settings, elasticsearch, priority = args.settings, args.elasticsearch, args.placement.priority
    return {
        "strategy": "production",
        "storage": {
            "type": "elasticsearch",
            "secretName": _STORAGE_SECRET,
            "options": {
                "es": {
                    "server-urls": elasticsearch.url,
                    "index-prefix": indices.PREFIX,
                    # Else a trace is not found by its id after three days.
                    "max-span-age": indices.looked_back(settings.retention_days),
                    "num-shards": indices.SHARDS,
                    "num-replicas": indices.replicas(elasticsearch.nodes),
                    "tls": {"enabled": True, "ca": f"{_CA}/ca.crt"},
                }
            },
            # The job that would compute them cannot verify a private CA.
            "dependencies": {"enabled": False},
            # Else the traces are kept until the volumes are full (D-111).
            "esIndexCleaner": {
                "enabled": True,
                "numberOfDays": settings.retention_days,
                "schedule": "55 23 * * *",
                "image": f"jaegertracing/jaeger-es-index-cleaner:{_VERSION}",
                "serviceAccount": _ACCOUNT,
                "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
                "containerSecurityContext": RESTRICTED,
            },
        },
        "sampling": {"options": {"default_strategy": {"type": "probabilistic", "param": args.sample_ratio}}},
        "volumes": [{"name": "elasticsearch-ca", "secret": {"secretName": elasticsearch.ca_secret}}],
        "volumeMounts": [{"name": "elasticsearch-ca", "mountPath": _CA, "readOnly": True}],
        "securityContext": AS_NOBODY,
        "containerSecurityContext": RESTRICTED,
        "collector": {
            "replicas": settings.collector.replicas,
            # Else each change stops all replicas at once.
            "strategy": {"type": "RollingUpdate"},
            "affinity": apart(_pods("collector")),
            **priority,
            "image": f"jaegertracing/jaeger-collector:{_VERSION}",
            "options": {"sampling": {"strategies-reload-interval": "30s"}},
            "serviceAccount": _ACCOUNT,
            "resources": settings.collector.resources.manifest(),
        },
        "query": {
            "replicas": settings.query.replicas,
            "strategy": {"type": "RollingUpdate"},
            "affinity": apart(_pods("query")),
            **priority,
            "image": f"jaegertracing/jaeger-query:{_VERSION}",
            "serviceAccount": _ACCOUNT,
            # Else the operator looks for an agent, which Jaeger no longer has.
            "tracingEnabled": False,
            "resources": settings.query.resources.manifest(),
        },
        "ingress": {"enabled": False},
    }
