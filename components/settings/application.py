"""Settings of the application that is watched."""

from .types import Model, Name, QueueName, Seconds, Share, Text


class SentrySettings(Model):
    """The environment and release that Sentry shows, and its sampling; the DSN is the secret `sentryDsn`."""

    environment: Name = "production"
    release: Text = "mangakai@1.0.0"
    traces_sample_rate: Share = 0.1


class OpenTelemetrySettings(Model):
    """Tracing of the application.

    `sample_ratio` is the share of requests whose spans are sent, besides those that fail or take `slow_seconds`.
    """

    service_name: Name = "mangakai-backend"
    sample_ratio: Share = 0.1
    slow_seconds: Seconds = 2


class ApplicationSettings(Model):
    """MangakAI itself. `generation_queues` are those of Celery in which manga wait to be generated; empty: all."""

    namespace: Name = "mangakai-prod"
    generation_queues: list[QueueName] = []
    sentry: SentrySettings = SentrySettings()
    open_telemetry: OpenTelemetrySettings = OpenTelemetrySettings()
