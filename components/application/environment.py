"""A ConfigMap and a Secret for the `envFrom` of the application's pods: how to reach Sentry and to send traces."""

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes import core

from ..foundation.metadata import metadata
from ..settings.application import ApplicationSettings

NAME = "mangakai-observability"


@dataclass(frozen=True, kw_only=True)
class ApplicationArgs:
    """The arguments of Application.

    Args:
        settings: its namespace, and what it says of itself.
        cluster: the cluster's name, which its traces carry.
        sentry_dsn: secret; None where nothing is to be sent to Sentry.
        otlp: where it sends traces, by HTTP.
    """

    settings: ApplicationSettings
    cluster: str
    sentry_dsn: pulumi.Output[str] | None
    otlp: str


class Application(pulumi.ComponentResource):
    """The ConfigMap and the Secret `mangakai-observability`; the namespace itself is the application's own."""

    def __init__(self, name: str, args: ApplicationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mangakai:monitoring:Application", name, {}, opts)
        core.v1.ConfigMap(
            NAME,
            metadata=metadata(NAME, "application", args.settings.namespace),
            data=environment(args.settings, args.cluster, args.otlp),
            opts=pulumi.ResourceOptions(parent=self),
        )
        if args.sentry_dsn is None:
            pulumi.log.warn("the secret sentryDsn is not set: the application sends no exception to Sentry", self)
        core.v1.Secret(
            NAME,
            metadata=metadata(NAME, "application", args.settings.namespace),
            # To Sentry's SDK an empty one means off; the guide's example would end the application (D-127).
            string_data={"SENTRY_DSN": "" if args.sentry_dsn is None else args.sentry_dsn},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


def environment(settings: ApplicationSettings, cluster: str, otlp: str) -> dict[str, str]:
    """Return the environment variables that Sentry's and OpenTelemetry's SDKs and Prometheus' client read."""
    sentry, tracing = settings.sentry, settings.open_telemetry
    return {
        "SENTRY_ENVIRONMENT": sentry.environment,
        "SENTRY_RELEASE": sentry.release,
        "SENTRY_TRACES_SAMPLE_RATE": str(sentry.traces_sample_rate),
        "OTEL_EXPORTER_OTLP_ENDPOINT": otlp,
        "OTEL_SERVICE_NAME": tracing.service_name,
        "OTEL_RESOURCE_ATTRIBUTES": (
            f"deployment.environment.name={sentry.environment},"
            f"k8s.cluster.name={cluster},k8s.namespace.name={settings.namespace}"
        ),
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        # The collector answers for traces only: each SDK would be told 404, and say so, for all else.
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": str(tracing.sample_ratio),
        "SLOW_REQUEST_SECONDS": str(tracing.slow_seconds),
        # A directory of the pod's own, so that a pod that is replaced begins at 0 (D-141).
        "PROMETHEUS_MULTIPROC_DIR": "/tmp/mangakai-metrics",  # noqa: S108
    }
