"""Metrics, traces, errors, logs and health of MangakAI's backend and workers, in one line each."""

from .backend import observe
from .health import gemini_api, s3
from .tracing import trace_function
from .worker import observe_celery

__all__ = ["gemini_api", "observe", "observe_celery", "s3", "trace_function"]
