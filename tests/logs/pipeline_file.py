"""The filters of a Logstash pipeline file as plain data: plugins, and branches with their conditions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from logstash_pipeline_parser import Pipeline


class UnknownError(Exception):
    """Something in the file that the tests do not know, and so cannot vouch for."""


@dataclass(frozen=True)
class Plugin:
    """A filter and its options; a hash is a dict, an array a list."""

    name: str
    options: dict[str, Any]


@dataclass(frozen=True)
class Branch:
    """An `if` with its `else if` and `else`: each condition, None for `else`, with what it guards."""

    ways: "list[tuple[Condition | None, list[Statement]]]"


@dataclass(frozen=True)
class Condition:
    """`operator` applied to `operands`: strings are constants, Field a field, list an array, Condition a part."""

    operator: str
    operands: tuple[Any, ...]


@dataclass(frozen=True)
class Field:
    """A field reference, `[log][level]` or `message`."""

    path: tuple[str, ...]


Statement = Plugin | Branch
# In a regular expression the parser takes `\\n` for a backslash and a newline.
WHITESPACE = str.maketrans("\n\t\r\f", "ntrf")
COMPARISONS = ["==", "!=", "in", "=~", "!~", ">"]


def filters(text: str) -> list[Statement]:
    """Return what stands in the `filter` sections of a pipeline file."""
    # The parser takes backslashes for escapes, which Logstash does not.
    sections = Pipeline(text.replace("\\", "\\\\")).parse()
    return [each for name, content in sections if name == "filter" for each in _statements(content)]


def field(reference: str) -> Field:
    """Return the field that `[a][b]` or `a` refers to."""
    if not reference.startswith("["):
        return Field((reference,))
    return Field(tuple(reference[1:-1].split("][")))


def _statements(content: Iterable[Any]) -> list[Statement]:
    found: list[Statement] = []
    for name, inner in content:
        if name == "if":
            found.append(Branch([_way(inner)]))
        elif name in ("else if", "else"):
            branch = found[-1]
            assert isinstance(branch, Branch)
            branch.ways.append(_way(inner) if name == "else if" else (None, _statements(inner)))
        else:
            found.append(Plugin(name, {option: _value(value) for option, [value] in inner}))
    return found


def _way(inner: Sequence[Any]) -> tuple[Condition, list[Statement]]:
    *condition, [content] = inner
    return _condition(condition), _statements(content)


def _value(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    if value and all(isinstance(each, list) and len(each) == 2 and isinstance(each[1], list) for each in value):
        return {name: _value(inner) for name, [inner] in value}
    return [_value(each) for each in value]


def _condition(parts: Sequence[Any]) -> Condition:
    """Return a condition: expressions with `and` or `or` between them, without the precedence of one of them."""
    expressions, operators = [_expression(each) for each in parts[::2]], set(parts[1::2])
    if not operators:
        return expressions[0]
    if len(operators) > 1 or not operators <= {"and", "or"}:
        raise UnknownError(f"condition with {' and '.join(sorted(operators))}: {parts}")
    return Condition(operators.pop(), tuple(expressions))


def _expression(parts: Any) -> Condition:
    match parts:
        case ["!", str(reference)] if _is_field(reference):
            return Condition("!", (Condition("truthy", (field(reference),)),))
        case ["!", *inner]:
            return Condition("!", (_condition(inner),))
        case [str(reference)] if _is_field(reference):
            return Condition("truthy", (field(reference),))
        case [left, "not", "in", right]:
            return Condition("!", (Condition("in", (_operand(left), _operand(right))),))
        case [left, ("=~" | "!~") as operator, str(regex)]:
            return Condition(operator, (_operand(left), regex.translate(WHITESPACE).replace("\\\\", "\\")))
        case [left, str(operator), right] if operator in COMPARISONS:
            return Condition(operator, (_operand(left), _operand(right)))
        case [list(), *_]:
            return _condition(parts)
    raise UnknownError(f"condition {parts}")


def _is_field(text: str) -> bool:
    return text.startswith("[")


def _operand(value: Any) -> Any:
    return field(value) if isinstance(value, str) and _is_field(value) else value
