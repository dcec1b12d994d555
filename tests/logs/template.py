"""The index template as OpenSearch takes it, and the fields of a mapping."""

from pathlib import Path
from typing import Any

from components.logs.index import set_up

FILE = Path(set_up.__file__).parent / "index_template.json"


def template() -> Any:
    """Return the template as OpenSearch takes it.

    It calls `flattened` `flat_object`, without `ignore_above` and `depth_limit`, and has no `index.lifecycle`; all else
    is the same.
    """
    return _translated(set_up.read(FILE, {"REPLICAS": "0"}))


def _translated(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    if part.get("type") == "flattened":
        return {"type": "flat_object"}
    return {name: _translated(inner) for name, inner in part.items() if name != "lifecycle"}


def fields(mapping: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Return the type of each field by its name with dots."""
    found: dict[str, str] = {}
    for name, inner in mapping["properties"].items():
        more = fields(inner, f"{prefix}{name}.") if "properties" in inner else {f"{prefix}{name}": inner["type"]}
        found.update(more)
    return found
