"""Deploys what the application's namespace gets."""

from ..foundation.base import Base
from ..traces.area import Traces
from .environment import Application, ApplicationArgs


def deploy(base: Base, traces: Traces) -> None:
    """Tell the application's pods how to reach Sentry, and where to send traces."""
    args = ApplicationArgs(
        settings=base.settings.application,
        cluster=base.settings.cluster.name,
        sentry_dsn=base.secrets.sentry_dsn,
        otlp=traces.jaeger.otlp,
    )
    Application("application", args, base.options(traces.jaeger))
