"""The reference of the settings: keys and defaults of the models; what they mean stays as it is written there."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from components.settings import Settings
from components.settings.types import Compute, Resources

from .pages import DocsError, part

NAME = "settings"
HEAD = ("key", "default", "meaning, and what is allowed")


@dataclass(frozen=True)
class Setting:
    """A setting: its key, its default in words, its least and greatest value, and the words that it may be."""

    key: str
    default: str
    bounds: tuple[str, str] | None
    choices: tuple[str, ...]


def settings(
    model: type[BaseModel] = Settings, values: BaseModel | None = None, path: tuple[str, ...] = (), where: str = ""
) -> Iterator[Setting]:
    """Return the settings of a model.

    Args:
        model: the model.
        values: its instance that is the default, if there is one.
        path: of the model.
        where: the optional part that it belongs to.
    """
    for name, field in model.model_fields.items():
        key = (*path, field.alias or name)
        candidates = (field.annotation, *get_args(field.annotation))
        inner = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)
        default = getattr(values, name) if values else field.default
        if inner is None or inner is Resources:
            words = "required" if field.is_required() and values is None else _default(default, path)
            words += f" where `{where}` is set" if words == "required" and where else ""
            yield Setting(".".join(key), words, _bounds(field), _choices(field.annotation))
        elif get_origin(field.annotation) is dict:
            yield from settings(inner, inner(), (*key, "<alert>"))
        elif isinstance(default, BaseModel):
            yield from settings(inner, default, key, where)
        else:
            yield from settings(inner, None, key, "" if field.is_required() else key[-1])


def render(page: str) -> str:
    """Return the table, with the meanings that the page has already.

    Raises:
        DocsError: naming each setting without a meaning, and each meaning that contradicts the model.
    """
    meanings = dict(re.findall(r"^\| `([^`]+)` \| .*? \| ?(.*?) ?\|$", part(page, NAME)[2], re.MULTILINE))
    found = list(settings())
    problems = [problem for setting in found for problem in _problems(setting, meanings.get(setting.key))]
    if problems:
        raise DocsError("; ".join(problems))
    lines = [f"| `{one.key}` | {one.default} | {meanings[one.key]}".rstrip() + " |" for one in found]
    return "\n".join([f"| {' | '.join(HEAD)} |", "|---|---|---|", *lines, ""])


def _problems(setting: Setting, meaning: str | None) -> Iterator[str]:
    if meaning is None:
        yield f"{setting.key} is not described: add the row | `{setting.key}` | {setting.default} | what it means |"
        return
    told = re.search(r"\b(\d+) to (\d+)\b", meaning)
    if setting.bounds and told and told.groups() != setting.bounds:
        yield f"{setting.key} is said to be {told[0]}, and is {' to '.join(setting.bounds)}"
    if lacking := [choice for choice in setting.choices if choice not in meaning]:
        yield f"{setting.key} does not say that it may be {', '.join(lacking)}"


def _default(value: Any, path: tuple[str, ...]) -> str:
    match value:
        case None:
            return "the rule's" if "<alert>" in path else "none"
        case bool():
            return str(value).lower()
        case Resources():
            limits = f", limits {_compute(value.limits)}" if value.limits else ""
            return f"requests {_compute(value.requests)}{limits}"
        case list():
            return f"[{', '.join(map(str, value))}]"
    return str(value)


def _compute(value: Compute) -> str:
    return f"{value.cpu}/{value.memory}"


def _bounds(field: FieldInfo) -> tuple[str, str] | None:
    least = [each.ge for each in field.metadata if hasattr(each, "ge")]
    most = [each.le for each in field.metadata if hasattr(each, "le")]
    return (str(least[0]), str(most[0])) if least and most else None


def _choices(annotation: Any) -> tuple[str, ...]:
    for candidate in (annotation, *get_args(annotation)):
        if get_origin(candidate) is Literal:
            return tuple(map(str, get_args(candidate)))
    return ()
