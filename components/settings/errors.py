"""Wrong settings in words: the key, what was found, what is allowed, and the remedy, all of them at once."""

from collections.abc import Sequence
from typing import Any, get_args, get_origin

import pulumi
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

PROJECT = "mangakai-monitoring"


class SettingsError(pulumi.RunError):
    """The settings of a stack are wrong. Pulumi shows the text alone, without a traceback.

    Args:
        stack: the stack's name.
        problems: one line each.
    """

    def __init__(self, stack: str, problems: Sequence[str]) -> None:
        count = f"{len(problems)} setting{'s are' if len(problems) > 1 else ' is'}"
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"{count} wrong in stack {stack} (nothing was registered):\n{lines}")
        self.problems = tuple(problems)


class WrongValuesError(ValueError):
    """Several things are wrong below one key: each argument is the rest of a path, a colon, and what is wrong."""


def explain(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Return one line for each error that pydantic found while it read `model`."""
    return [line for detail in error.errors() for line in _lines(detail, model)]


def _lines(detail: ErrorDetails, model: type[BaseModel]) -> list[str]:
    if isinstance(several := detail.get("ctx", {}).get("error"), WrongValuesError):
        return [".".join([*map(str, detail["loc"]), problem]) for problem in several.args]
    return [_line(detail, model)]


def _line(detail: ErrorDetails, model: type[BaseModel]) -> str:
    path = [str(part) for part in detail["loc"]]
    key = ".".join(path) or "settings"
    fields = _fields(model, path[:-1])
    match detail["type"]:
        case "extra_forbidden":
            return f"{key}: unknown key; allowed here: {', '.join(sorted(fields))}. Remove or rename it"
        case "missing":
            return f"{key}: missing. Set it: pulumi config set --path {PROJECT}:{key} <value>"
    allowed = _allowed(fields.get(path[-1])) if path else None
    message = detail["msg"].removeprefix("Value error, ")
    found = "" if isinstance(detail["input"], dict) else f"found {detail['input']!r}; "
    if detail["type"] == "string_pattern_mismatch" and allowed:
        message = f"{allowed} is allowed"
    if detail["type"] == "string_type" and isinstance(detail["input"], bool | float):
        message += f". As text: pulumi config set --path --type string {PROJECT}:{key} <value>"
    return f"{key}: {found}{message[0].lower() + message[1:]}"


def _allowed(field: FieldInfo | None) -> str | None:
    if field is None:
        return None
    for candidate in (
        field,
        *(meta for arg in get_args(field.annotation) for meta in getattr(arg, "__metadata__", ())),
    ):
        extra = getattr(candidate, "json_schema_extra", None)
        if isinstance(extra, dict) and "allowed" in extra:
            return str(extra["allowed"])
    return None


def _fields(model: type[BaseModel], path: Sequence[str]) -> dict[str, FieldInfo]:
    """Return the fields, by their names in YAML, of the model that lies at `path` below `model`."""
    is_name = False
    for part in path:
        if is_name:  # in a dict whose values are models
            is_name = False
            continue
        field: Any = {(info.alias or name): info for name, info in model.model_fields.items()}.get(part)
        if field is None:
            return {}
        candidates = (field.annotation, *get_args(field.annotation))
        inner = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)
        if inner is None:
            return {}
        model = inner
        is_name = get_origin(field.annotation) is dict
    return {(info.alias or name): info for name, info in model.model_fields.items()}
