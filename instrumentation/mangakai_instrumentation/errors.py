"""Exceptions to Sentry, with the trace id of OpenTelemetry, and nothing sensitive in them."""

import logging
import os

import sentry_sdk
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from sentry_sdk.consts import VERSION, EndpointType
from sentry_sdk.integrations.celery import CeleryIntegration
from sentry_sdk.integrations.fastapi import FastApiIntegration
from sentry_sdk.integrations.logging import ignore_logger
from sentry_sdk.integrations.otlp import OTLPIntegration
from sentry_sdk.integrations.redis import RedisIntegration
from sentry_sdk.integrations.sqlalchemy import SqlalchemyIntegration
from sentry_sdk.integrations.starlette import StarletteIntegration
from sentry_sdk.utils import BadDsn, Dsn

from . import tracing
from .scrubbing import scrub_event

FLUSH_SECONDS = 0.8
_LOGGER = logging.getLogger(__name__)


def set_up() -> bool:
    """Send exceptions to the project of SENTRY_DSN, if there is one. Returns whether they are sent.

    SENTRY_ENVIRONMENT and SENTRY_RELEASE are read by Sentry's SDK itself (D-129). The share SENTRY_TRACES_SAMPLE_RATE
    of all traces goes to Sentry too, as far as OpenTelemetry samples them: the same spans with the same ids (D-132),
    and not a second set, of Sentry's own making.
    """
    text = os.environ.get("SENTRY_DSN", "")
    if not text:
        return False
    try:
        dsn = Dsn(text)
    except (BadDsn, ValueError) as error:  # an application without Sentry is better than none (D-127)
        _LOGGER.error("SENTRY_DSN is no DSN (%s): exceptions are not sent to Sentry", error)
        return False
    # Else the address of who asked is among what happened before.
    ignore_logger("uvicorn.access")
    sentry_sdk.init(
        dsn=text,
        integrations=[
            # Without transactions: they would be thrown away, as OpenTelemetry makes the traces.
            StarletteIntegration(http_methods_to_capture=()),
            FastApiIntegration(http_methods_to_capture=()),
            SqlalchemyIntegration(),
            RedisIntegration(),
            CeleryIntegration(propagate_traces=False),
            OTLPIntegration(setup_otlp_traces_exporter=False, setup_propagator=False),
        ],
        before_send=scrub_event,
        before_send_transaction=scrub_event,  # not only errors carry what is secret (D-130)
        send_default_pii=False,
        max_request_body_size="never",
        # Whatever a function has at hand: prompts, keys, whole requests.
        include_local_variables=False,
        # What waits at the end is sent by `flush`.
        shutdown_timeout=0,
    )
    if share := _share():
        auth = dsn.to_auth(f"sentry.python/{VERSION}")
        exporter = OTLPSpanExporter(
            auth.get_api_url(EndpointType.OTLP_TRACES), headers={"X-Sentry-Auth": auth.to_header()}
        )
        tracing.send_to(exporter, share)
    return True


def flush() -> None:
    """Send what waits to be sent; a Sentry that does not answer costs FLUSH_SECONDS."""
    sentry_sdk.flush(FLUSH_SECONDS)


def _share() -> float:
    text = os.environ.get("SENTRY_TRACES_SAMPLE_RATE", "0")
    try:
        share = float(text)
    except ValueError:
        share = -1
    if 0 <= share <= 1:
        return share
    _LOGGER.error("SENTRY_TRACES_SAMPLE_RATE is %r, not a number from 0 to 1: no trace is sent to Sentry", text)
    return 0
