"""Dashboards as Grafana's own types read them: the foundation SDK, which is generated from Grafana's schemas."""

import enum
import json
import types
import typing
import warnings
from typing import Any

with warnings.catch_warnings():
    # The SDK prefers schema v2, which the sidecar of Grafana's chart cannot deliver.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.cog import plugins, runtime
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models import dashboard as sdk

plugins.register_default_plugins()


def problems(dashboard: dict[str, Any]) -> list[str]:
    """Return what Grafana's types do not know of a dashboard: panel types, options, and values."""
    found = [
        f"{panel['title']}: there is no panel type {panel['type']}"
        for panel in dashboard["panels"]
        if runtime.panelcfg_config(panel["type"]) is None
    ]
    parsed = sdk.Dashboard.from_json(dashboard)
    read = json.loads(JSONEncoder().encode(parsed))
    return found + _lost(dashboard, read, "") + _mistyped(parsed, sdk.Dashboard, "")


def _lost(written: Any, read: Any, path: str) -> list[str]:
    """Return the paths of what was written and is not there, or not the same, after it was read."""
    if isinstance(written, dict) and isinstance(read, dict):
        return [
            problem
            for key, value in written.items()
            if value is not None
            for problem in (_lost(value, read[key], f"{path}/{key}") if key in read else [f"{path}/{key}: unknown"])
        ]
    if isinstance(written, list) and isinstance(read, list) and len(written) == len(read):
        return [
            problem
            for index, (left, right) in enumerate(zip(written, read, strict=True))
            for problem in _lost(left, right, f"{path}/{index}")
        ]
    return [] if written == read else [f"{path}: {written!r} is read as {read!r}"]


def _mistyped(value: Any, type_: Any, path: str) -> list[str]:
    """Return the paths of values that are not of the type that the SDK declares; from_json() takes any."""
    origin, arguments = typing.get_origin(type_), typing.get_args(type_)
    if origin in (typing.Union, types.UnionType):
        if value is None and types.NoneType in arguments:
            return []
        return min((_mistyped(value, each, path) for each in arguments if each is not types.NoneType), key=len)
    if origin is typing.Literal:
        return [] if value in arguments else [f"{path}: {value!r} is none of {arguments}"]
    if origin in (list, dict):
        if not isinstance(value, origin):
            return [f"{path}: {value!r} is no {origin.__name__}"]
        items = value.items() if origin is dict else enumerate(value)
        return [p for key, item in items for p in _mistyped(item, arguments[-1], f"{path}/{key}")]
    if hasattr(type_, "from_json") and isinstance(value, dict):
        value = type_.from_json(value)  # the SDK leaves links and transformations as they are
    if isinstance(type_, type) and not _is_a(value, type_):
        return [f"{path}: {value!r} is no {type_.__name__}"]
    if not hasattr(value, "to_json"):
        return []
    hints = typing.get_type_hints(type(value))
    return [p for name, hint in hints.items() for p in _mistyped(getattr(value, name), hint, f"{path}/{name}")]


def _is_a(value: Any, type_: type) -> bool:
    if issubclass(type_, enum.Enum):
        return value in list(type_)
    if isinstance(value, bool):
        return type_ in (bool, object)
    return isinstance(value, (float, int) if type_ is float else type_)
