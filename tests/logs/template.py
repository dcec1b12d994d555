"""The index template, also as OpenSearch takes it, the fields of a mapping, and what Elasticsearch refuses by it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components.logs.index import set_up

FIRST_INDEX = f"{set_up.ALIAS}-000001"
FOLDER = Path(set_up.__file__).parent
FILE = FOLDER / "index_template.json"
VALUES = {"REPLICAS": "0", "RETENTION_DAYS": "14"}


def template() -> Any:
    """Return the template as the set-up puts it."""
    return set_up.read(FILE, VALUES)


def of_opensearch() -> Any:
    """Return the template as OpenSearch takes it.

    It calls `flattened` `flat_object`, without `ignore_above` and `depth_limit`, and has no `index.lifecycle`; all else
    is the same.
    """
    return _translated(template())


def _translated(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    if part.get("type") == "flattened":
        return {"type": "flat_object"}
    return {name: _translated(inner) for name, inner in part.items() if name != "lifecycle"}


def fields(mapping: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Return the type of each field by its name with dots.

    `match_only_text`, of a module that is not published, is plain text in the Elasticsearch of the tests.
    """
    found: dict[str, str] = {}
    for name, inner in mapping["properties"].items():
        if "properties" in inner:
            found |= fields(inner, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = inner["type"].removeprefix("match_only_")
    return found


def refused(document: dict[str, Any]) -> list[str]:
    """Return the fields of a document for which Elasticsearch refuses it, by its sources.

    KeywordFieldMapper takes no objects; FlattenedFieldParser nothing else, none that is too deep, and no NUL in a key.
    """
    deepest = json.loads(FILE.read_text())["template"]["mappings"]["properties"]["mangakai"]["depth_limit"]
    found = []
    for name, type_ in fields(of_opensearch()["template"]["mappings"]).items():
        value = _at(document, name.split("."))
        if type_ != "flat_object":
            right = not [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)]
        elif isinstance(value, dict):
            right = not [path for path in _paths(value) if len(path) > deepest or "\0" in "".join(path)]
        else:
            right = value is None
        found += [] if right else [name]
    return found


def _at(value: Any, path: list[str]) -> Any:
    return _at(value.get(path[0]), path[1:]) if path and isinstance(value, dict) else value


def _paths(value: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, inner in value.items():
        yield from _paths(inner, (*above, key)) if isinstance(inner, dict) else [(*above, key)]
