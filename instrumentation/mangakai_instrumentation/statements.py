"""The statements of SQLAlchemy as spans: of each engine, whoever made it and when."""

from weakref import WeakSet

from opentelemetry import metrics, trace
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.instrumentation.sqlalchemy.engine import EngineTracer
from sqlalchemy import Connection, Engine, event

_TRACED: "WeakSet[Engine]" = WeakSet()


def trace_engines() -> None:
    """Trace the statements of all engines, also of those that there are already, from their next connection on."""
    if not SQLAlchemyInstrumentor().is_instrumented_by_opentelemetry:
        # By itself it knows only engines that are made later, by a function that was not imported before.
        SQLAlchemyInstrumentor().instrument()
    if not event.contains(Engine, "engine_connect", _trace):
        event.listen(Engine, "engine_connect", _trace)


def _trace(connection: Connection) -> None:
    # One with options of its own tells its engine's listeners.
    engine: Engine = getattr(connection.engine, "_proxied", connection.engine)
    if engine not in _TRACED:
        _TRACED.add(engine)
        if not any(known() is engine for known, *_ in EngineTracer._remove_event_listener_params):
            connections = metrics.get_meter(__name__).create_up_down_counter("db.client.connections.usage")
            EngineTracer(  # type: ignore[no-untyped-call]
                trace.get_tracer(__name__), engine, connections
            )
