"""The saved objects of Kibana: what its import takes, and what ties them to one another and to the index's mapping.

They have the form that Kibana 8.18 exports: 8.19 and 9 migrate it on import, and refuse what is newer than they are.
The checks return problems.
"""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from components.logs.index import set_up

Item = dict[str, Any]

VIEW, BOARD, ERRORS = "mangakai-logs", "mangakai-logs-dashboard", "mangakai-recent-errors"
LEVELS, CODES = "mangakai-log-levels", "mangakai-nginx-status-codes"

FILES = sorted((Path(__file__).parents[2] / "dashboards" / "kibana").glob("*.ndjson"))
INDEX = Path(set_up.__file__).parent
TEMPLATE = json.loads((INDEX / "index_template.json").read_text())
PIPELINE = (INDEX.parent / "pipelines" / "main.conf").read_text()

KEYS = {"attributes", "coreMigrationVersion", "id", "managed", "references", "type", "typeMigrationVersion"}
VERSIONS = {"dashboard": "10.2.0", "index-pattern": "8.0.0", "lens": "8.9.0", "search": "10.5.0"}
# What Kibana's schemas of those versions ask for, and what we use of the rest; some refuse attributes that they lack.
ATTRIBUTES = {
    "dashboard": "title description kibanaSavedObjectMeta optionsJSON panelsJSON "
    "refreshInterval timeFrom timeRestore timeTo",
    "index-pattern": "name timeFieldName title",
    "lens": "title description state visualizationType",
    "search": "title description columns sort grid hideChart isTextBasedQuery kibanaSavedObjectMeta",
}
# S-082, S-083; D-102 to D-104: as lines of NDJSON, and with what the guide's panel refers to.
GUIDE: Item = {"title": "MangakAI Logs Dashboard", "timeRestore": True, "timeFrom": "now-24h", "timeTo": "now"}
PANEL: Item = {"panelIndex": "1", "panelRefName": "panel_1", "embeddableConfig": {"title": "Log Levels Over Time"}}
GRID: Item = {"x": 0, "y": 0, "w": 24, "h": 15}
TITLES = ["Log Levels Over Time", "Errors by Service", "nginx Status Codes Over Time", "Unparsed Lines Over Time"]
TITLES += ["Recent Errors", "Kubernetes Events", "Unparsed Lines"]

NUMBERS = {"byte", "short", "integer", "long", "unsigned_long", "half_float", "float", "double", "scaled_float"}
VALUES = {"boolean", "date", "ip", "keyword"} | NUMBERS
# What may be done to fields of which types; None is any.
USES: dict[str, set[str] | None] = {
    "show": None,
    "search": None,
    "compare": {"date", "ip"} | NUMBERS,
    "sort": VALUES,
    "terms": VALUES,
    "date_histogram": {"date"},
}
KQL_FIELD = re.compile(r"([\w@.*-]+)\s*(:|[<>]=?)")


def decoded(value: Any) -> Any:
    """Return a part of a saved object with the JSON in its strings read."""
    if isinstance(value, dict):
        return {key: decoded(json.loads(each) if key.endswith("JSON") else each) for key, each in value.items()}
    return [decoded(each) for each in value] if isinstance(value, list) else value


def encoded(value: Any) -> Any:
    """Return what `decoded` was made from."""
    if isinstance(value, dict):
        return {key: dump(encoded(each)) if key.endswith("JSON") else encoded(each) for key, each in value.items()}
    return [encoded(each) for each in value] if isinstance(value, list) else value


def dump(value: Any) -> str:
    """Return JSON as Kibana writes it, with sorted keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def fields(mapping: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the definitions of a mapping's fields by full name."""
    found: dict[str, dict[str, Any]] = {}
    for name, definition in mapping["properties"].items():
        inner = fields(definition) if "properties" in definition else {}
        found |= {f"{name}.{each}": inner[each] for each in inner} or {name: definition}
    return found


LINES = [line for file in FILES for line in file.read_text().split("\n") if line]
ITEMS: list[Item] = [decoded(json.loads(line)) for line in LINES]
FIELDS = fields(TEMPLATE["template"]["mappings"])


def parts(value: Any) -> Iterator[dict[str, Any]]:
    """Yield each JSON object in a value, itself included."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    for each in value if isinstance(value, list) else []:
        yield from parts(each)


def shape_problems(item: Item) -> list[str]:
    """Return what an object lacks of the form of an export, or has beyond it."""
    problems = [f"key {key}" for key in sorted(KEYS ^ set(item))]
    type_, attributes = item.get("type", ""), item.get("attributes", {})
    if type_ not in VERSIONS:
        return [*problems, f"type {type_!r} is none of {sorted(VERSIONS)}"]
    versions = {"coreMigrationVersion": "8.8.0", "typeMigrationVersion": VERSIONS[type_]}
    problems += [f"{key} is not {version}" for key, version in versions.items() if item.get(key) != version]
    return problems + [f"attribute {key}" for key in sorted(set(ATTRIBUTES[type_].split()) ^ set(attributes))]


def names(item: Item) -> list[str]:
    """Return the names of the references that an object's attributes ask for."""
    attributes = item["attributes"]
    found = [each["indexRefName"] for each in parts(attributes) if "indexRefName" in each]
    if item["type"] == "dashboard":
        found += [f"{panel['panelIndex']}:{panel['panelRefName']}" for panel in attributes["panelsJSON"]]
    if item["type"] == "lens":
        found += [f"indexpattern-datasource-layer-{layer}" for layer in layers(item)]
        found += [each["meta"]["index"] for each in attributes["state"]["filters"] if "index" in each["meta"]]
    return found


def reference_problems(item: Item, items: list[Item]) -> list[str]:
    """Return the references that lead nowhere, or that an object asks for and lacks, or has and does not use."""
    known = {(each["type"], each["id"]) for each in items}
    given, wanted = [reference["name"] for reference in item["references"]], names(item)
    problems = [
        f"reference {reference['name']}: there is no {reference['type']} {reference['id']}"
        for reference in item["references"]
        if (reference["type"], reference["id"]) not in known
    ]
    problems += [f"no reference {name}" for name in wanted if name not in given]
    problems += [f"reference {name} is not used" for name in given if name not in wanted]
    problems += [f"reference {name} is there {given.count(name)} times" for name in set(given) if given.count(name) > 1]
    return problems


def kql_uses(query: str) -> list[tuple[str, str]]:
    """Return the fields that a query in KQL names, with what it does to them; quoted text names none."""
    found = KQL_FIELD.findall(re.sub(r'"(\\.|[^"\\])*"', '""', query))
    return [(field, "search" if operator == ":" else "compare") for field, operator in found]


def query_problems(item: Item) -> list[str]:
    """Return the queries that are not in KQL, or search all fields."""
    queries = [part for part in parts(item["attributes"]) if set(part) == {"language", "query"}]
    problems = [f"query {each['query']!r} is in {each['language']}" for each in queries if each["language"] != "kuery"]
    lost = [each["query"] for each in queries if each["query"] and not kql_uses(each["query"])]
    return problems + [f"query {query!r} names no field" for query in lost]


def uses(item: Item) -> Iterator[tuple[str, str]]:
    """Yield each field that an object names, with what is done to it."""
    attributes = item["attributes"]
    if item["type"] == "index-pattern":
        yield attributes["timeFieldName"], "date_histogram"
    if item["type"] == "search":
        yield from ((column, "show") for column in [*attributes["columns"], *attributes["grid"]["columns"]])
        yield from ((column, "sort") for column, _ in attributes["sort"])
    for part in parts(attributes):
        if "sourceField" in part and part["sourceField"] != "___records___":
            yield part["sourceField"], part["operationType"]
        if set(part) == {"language", "query"}:
            yield from kql_uses(part["query"])
        if "key" in part.get("meta", {}):
            yield part["meta"]["key"], "search"


def field_problems(item: Item) -> list[str]:
    """Return the fields that the index's mapping lacks, or whose type does not allow what is done to them."""
    problems = []
    flattened = tuple(f"{name}." for name, field in FIELDS.items() if field["type"] == "flattened")
    for name, use in uses(item):
        field = {"type": "keyword"} if name.startswith(flattened) else FIELDS.get(name)
        types = USES.get(use, set())
        if field is None:
            problems.append(f"field {name} is not in the mapping")
        elif types is not None and not (field["type"] in types and field.get("doc_values", True)):
            problems.append(f"field {name}: no {use} of {field['type']}")
        elif use in ("search", "compare") and not field.get("index", True):
            problems.append(f"field {name} is not indexed")
    return problems


def layers(item: Item) -> dict[str, Any]:
    """Return the layers of data that a Lens object draws."""
    found: dict[str, Any] = item["attributes"]["state"]["datasourceStates"]["formBased"]["layers"]
    return found


def lens_problems(item: Item) -> list[str]:
    """Return what is drawn and not there, or there and not drawn."""
    drawn = {layer["layerId"]: layer for layer in item["attributes"]["state"]["visualization"]["layers"]}
    problems = [f"layer {layer} is on one side only" for layer in sorted(set(drawn) ^ set(layers(item)))]
    for name in set(drawn) & set(layers(item)):
        layer, columns, order = drawn[name], layers(item)[name]["columns"], layers(item)[name]["columnOrder"]
        buckets = [column for column in (layer.get("splitAccessor"), layer["xAccessor"]) if column]
        if sorted(order) != sorted(columns) or order != buckets + layer["accessors"]:
            problems.append(f"columns {sorted(columns)} in order {order}: {buckets + layer['accessors']} are drawn")
        problems += [
            f"column {key} {'is no' if key in buckets else 'is a'} bucket"
            for key, column in columns.items()
            if column["isBucketed"] != (key in buckets)
        ]
        keys = [part[key] for part in parts([columns, layer]) for key in ("columnId", "forAccessor") if key in part]
        problems += [f"column {key} is no number that is drawn" for key in keys if key not in layer["accessors"]]
        labels = {each["label"] for part in parts(columns) for each in part.get("filters", [])}
        if labels and (lost := set(colors(item)) - labels):
            problems.append(f"colors of {sorted(lost)}, which are not drawn")
    return problems


def colors(item: Item) -> dict[str, str]:
    """Return the colors that a Lens object gives to values, or to its number."""
    found = {}
    for part in parts(item["attributes"]["state"]["visualization"]):
        if "forAccessor" in part:
            found[part["forAccessor"]] = part["color"]
        for value in part["rule"].get("values", []) if "rule" in part else []:
            found[value] = part["color"]["colorCode"]
    return found


def panel_problems(item: Item) -> list[str]:
    """Return which panels of a dashboard are not where, or what, they say that they are."""
    problems: list[str] = []
    cells: list[tuple[int, int]] = []
    types = {reference["name"]: reference["type"] for reference in item["references"]}
    for number, panel in enumerate(item["attributes"]["panelsJSON"], 1):
        grid, index = panel["gridData"], panel["panelIndex"]
        if (index, grid["i"]) != (str(number), str(number)):
            problems.append(f"panel {number} is numbered {index} and {grid['i']}")
        if panel["type"] != types.get(f"{index}:{panel['panelRefName']}", panel["type"]):
            problems.append(f"panel {index} refers to no {panel['type']}")
        columns, rows = (range(grid[at], grid[at] + grid[size]) for at, size in ("xw", "yh"))
        if not (columns and rows and columns[0] >= 0 and rows[0] >= 0 and columns[-1] < 48):
            problems.append(f"panel {index} leaves the 48 columns")
        cells += itertools.product(columns, rows)
    return problems + (["panels overlap"] if len(cells) != len(set(cells)) else [])


def guide_problems(items: list[Item]) -> list[str]:
    """Return what S-082 and S-083 ask for and is not there, or not the same."""
    board = next((each for each in items if (each["type"], each["id"]) == ("dashboard", BOARD)), None)
    if board is None:
        return [f"S-082: there is no dashboard {BOARD}"]
    attributes = board["attributes"]
    panel: Item = next(iter(attributes.get("panelsJSON", [])), {})
    asked = [("S-082", GUIDE, attributes), ("S-083", PANEL, panel), ("S-083", GRID, panel.get("gridData", {}))]
    return [
        f"{number}: {key} is not {value}"
        for number, wanted, found in asked
        for key, value in wanted.items()
        if found.get(key) != value
    ]


CHECKS: dict[str, list[Callable[[Item], list[str]]]] = {"lens": [lens_problems], "dashboard": [panel_problems]}


def problems_of(items: list[Item]) -> list[str]:
    """Return all that is wrong with the saved objects, each with the id of its object."""
    ids = [item["id"] for item in items]
    problems = [f"{id_}: id of {ids.count(id_)} objects" for id_ in sorted(set(ids)) if ids.count(id_) > 1]
    for item in items:
        found = shape_problems(item)
        if not found:
            checks = [query_problems, field_problems, *CHECKS.get(item["type"], [])]
            found = [text for check in checks for text in check(item)] + reference_problems(item, items)
        problems += [f"{item['id']}: {text}" for text in found]
    return problems + guide_problems(items)
