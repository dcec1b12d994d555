"""What becomes of events: the filters of a pipeline file, run by a node; and what of a line is not in its documents."""

import copy
import json
import re
from typing import Any

from . import corpus, ingest
from .opensearch import Node

Document = dict[str, Any]


def documents(node: Node, text: str, events: list[Document]) -> list[list[Document]]:
    """Return the documents of each event, as they leave the filters of a pipeline file."""
    found = [[event] for event in events]
    for pipeline in ingest.pipelines(text):
        results = iter(_run(node, pipeline, [each for several in found for each in several]))
        found = [[part for _ in several for part in _split(next(results))] for several in found]
    for each in (document for several in found for document in several):
        each.pop("@metadata", None)
    return found


def _run(node: Node, pipeline: dict[str, Any], events: list[Document]) -> list[Document]:
    content = {"pipeline": pipeline, "docs": [{"_index": "corpus", "_source": event} for event in events]}
    results = node.ask("POST", "/_ingest/pipeline/_simulate", content)["docs"]
    for event, result in zip(events, results, strict=True):
        assert "doc" in result, f"{json.dumps(event)[:2000]}: {json.dumps(result)[:2000]}"
    return [result["doc"]["_source"] for result in results]


def _split(document: Document) -> list[Document]:
    """Return a document for each value of what the filter `split` has left, but for empty ones."""
    split = document.pop(ingest.SPLIT, None)
    if split is None:
        return [document]
    parts = []
    for value in filter(None, split["values"]):
        part = parent = copy.deepcopy(document)
        *parents, last = split["target"]
        for name in parents:
            parent = parent.setdefault(name, {})
        parent[last] = value
        parts.append(part)
    return parts


def made(document: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a document that Filebeat did not bring, with dots; `mangakai` and the like as they are."""
    found: dict[str, Any] = {}

    def walk(name: str, value: Any) -> None:
        if isinstance(value, dict) and name not in ("mangakai", "timestamp"):
            for key, inner in value.items():
                walk(f"{name}.{key}" if name else key, inner)
        elif name not in corpus.FROM_FILEBEAT and value is not None:
            found[name] = value

    walk("", document)
    found["@timestamp"] = re.sub(r"(\.\d{3})?Z$", lambda match: f"{match[1] or '.000'}Z", found["@timestamp"])
    return found


def lost(line: str, found: list[Document]) -> set[str]:
    """Return what stands in a line and in none of the documents that were made of it, but for its time and level."""
    first, *rest = found
    for document in rest:
        line, appended = line.removesuffix(document["message"]), line.endswith(document["message"])
        if not appended:
            return {line}
    if line.strip() == first["message"].strip():
        return set()
    if "mangakai" in first or "event.original" in first:
        values = json.loads(line)
        kept = "\n".join(_texts([*first.values(), *json.loads(f"[{first.get('event.original', '')}]")])).upper()
        known = _texts([values.get(name) for name in ("@timestamp", "timestamp", "asctime", "level", "log.level")])
        return {each for each in _texts(values) if each.upper() not in kept} - set(known)
    head = line.removesuffix(first["message"])
    for name in ("log.level", "log.logger"):
        head = re.sub(re.escape(first.get(name, "")), "", head, count=1, flags=re.IGNORECASE)
    return {
        each
        for each in [re.sub("WARN|warn|crit|[+-]\\d{4}|\\[\\d+\\]", "", head).strip("[]: #/-+,.TZ0123456789")]
        if each
    }


def _texts(value: Any) -> list[str]:
    """Return the values in a value as text, as they come out: without NUL and halves of characters."""
    return [re.sub("[\0\ud800-\udfff]", "�", str(each)) for each in _leaves(value) if each is not None]


def _leaves(value: Any) -> list[Any]:
    found, rest = [], [value]
    while rest:
        match rest.pop():
            case dict() as inner:
                rest += inner.values()
            case list() as inner:
                rest += inner
            case leaf:
                found.append(leaf)
    return found
