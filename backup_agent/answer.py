"""What others answer: where it lacks something, that is an error of the part that asked, not of the whole program.

A shape says what is taken from an answer: a type (`float` takes each number, `datetime` a time with its zone, as text);
[shape], a list of such; or {key: shape}, where a key that ends in ? may be missing or null, and `str` means each key.
"""

import json
from datetime import datetime
from typing import Any

from . import BackupError

_NAMES = {dict: "an object", list: "a list", str: "a text", int: "a number", float: "a number", datetime: "a time"}


def parsed(who: str, text: str | bytes, shape: Any) -> Any:
    """Return the JSON in `text`, which has at least what `shape` says.

    Raises:
        BackupError: it has not; the sentence begins with `who` answered, and names what is missing or wrong.
    """
    try:
        answer = json.loads(text)
    except ValueError:
        raise BackupError(f"{who}: the answer is no JSON: {_short(text)}") from None
    _check(who, answer, shape, "")
    return answer


def _check(who: str, value: Any, shape: Any, place: str) -> None:
    """Raise a BackupError unless what is at `place` in the answer has the shape."""
    if isinstance(shape, type):
        if not _is(value, shape):
            raise _wrong(who, value, _NAMES[shape], place)
    elif isinstance(shape, list):
        if not isinstance(value, list):
            raise _wrong(who, value, "a list", place)
        for number, element in enumerate(value):
            _check(who, element, shape[0], f"{place}[{number}]")
    elif not isinstance(value, dict):
        raise _wrong(who, value, "an object", place)
    else:
        for key, inner in shape.items():
            for name in value if key is str else [key.removesuffix("?")]:
                where = f"{place}.{name}" if place else name
                if value.get(name) is not None:
                    _check(who, value[name], inner, where)
                elif name == key or key is str:
                    raise BackupError(f"{who}: the answer has no {where}: {_short(value)}")


def _is(value: Any, type_: type) -> bool:
    if type_ is datetime:
        try:
            return datetime.fromisoformat(value).tzinfo is not None
        except (TypeError, ValueError):
            return False
    return isinstance(value, (int, float) if type_ is float else type_) and not isinstance(value, bool)


def _wrong(who: str, value: Any, wanted: str, place: str) -> BackupError:
    return BackupError(f"{who}: {place or 'the answer'} is not {wanted}: {_short(value)}")


def _short(value: Any) -> str:
    return (value if isinstance(value, str) else repr(value))[:200]
