"""Kibana's saved objects can be imported, and each check of them notices the damage that it is there for."""

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.catalogue.saved_objects import (
    BOARD,
    CODES,
    ERRORS,
    FILES,
    ITEMS,
    LEVELS,
    LINES,
    PIPELINE,
    TITLES,
    VIEW,
    Item,
    colors,
    dump,
    encoded,
    kql_uses,
    layers,
    problems_of,
    uses,
)


def _item(items: list[Item], id_: str) -> Item:
    return next(each for each in items if each["id"] == id_)


def _attributes(items: list[Item], id_: str) -> Item:
    attributes: Item = _item(items, id_)["attributes"]
    return attributes


def _panel(items: list[Item], number: int) -> Item:
    panel: Item = _attributes(items, BOARD)["panelsJSON"][number - 1]
    return panel


def _source(items: list[Item], id_: str) -> Item:
    source: Item = _attributes(items, id_)["kibanaSavedObjectMeta"]["searchSourceJSON"]
    return source


def _lens(items: list[Item], id_: str) -> tuple[Item, Item]:
    """Return how a Lens object draws, and the layer that it draws."""
    item = _item(items, id_)
    (layer,), (drawn,) = layers(item).values(), item["attributes"]["state"]["visualization"]["layers"]
    return drawn, layer


def _column(items: list[Item], name: str, id_: str = LEVELS) -> Item:
    column: Item = _lens(items, id_)[1]["columns"][name]
    return column


def _filters(items: list[Item]) -> list[Item]:
    filters: list[Item] = _column(items, "status", CODES)["params"]["filters"]
    return filters


def _references(items: list[Item], id_: str = BOARD) -> list[Item]:
    references: list[Item] = _item(items, id_)["references"]
    return references


def _kql(query: str) -> Item:
    return {"language": "kuery", "query": query}


def _ask(query: str, language: str = "kuery") -> Callable[[list[Item]], None]:
    return lambda items: _source(items, ERRORS)["query"].update(query=query, language=language)


@pytest.mark.requirement("S-082", "S-083")
def test_kibana_can_take_them_all() -> None:
    assert problems_of(ITEMS) == []
    found = [use for item in ITEMS for use in uses(item)]
    references = sum(len(item["references"]) for item in ITEMS)
    print(f"\n{len(ITEMS)} objects, {references} references, {len(found)} uses of {len(dict(found))} fields")


def test_lines_are_written_like_one_another_and_the_data_view_comes_first() -> None:
    assert [line for line, item in zip(LINES, ITEMS, strict=True) if line != dump(encoded(item))] == []
    assert ITEMS[0]["type"] == "index-pattern"
    assert all(file.read_text().endswith("}\n") for file in FILES)


def test_the_dashboard_leads_from_an_error_to_its_trace() -> None:
    titles = [panel["embeddableConfig"]["title"] for panel in _attributes(ITEMS, BOARD)["panelsJSON"]]
    assert titles == [_attributes(ITEMS, reference["id"])["title"] for reference in _references(ITEMS)] == TITLES
    errors = _attributes(ITEMS, ERRORS)
    assert errors["columns"] == ["@timestamp", "service.name", "log.logger", "message", "error.type", "trace.id"]
    assert errors["sort"] == [["@timestamp", "desc"]]
    assert _source(ITEMS, ERRORS)["query"] == _kql("tags: error")


def test_a_color_means_the_same_everywhere() -> None:
    levels, errors, codes = (colors(_item(ITEMS, id_)) for id_ in (LEVELS, "mangakai-errors-by-service", CODES))
    assert levels["ERROR"] == errors["count"] == codes["5xx"]
    assert (levels["WARNING"], levels["INFO"]) == (codes["4xx"], codes["3xx"])
    tagged = re.search(r"if \[log\]\[level\] in (\[.*?\])", PIPELINE)
    assert tagged
    reds = {levels["ERROR"], levels["CRITICAL"]}
    assert {level for level in levels if levels[level] in reds} == set(json.loads(tagged[1]))
    assert len(set(levels.values())) == 5


def test_what_a_query_names() -> None:
    assert kql_uses(r'not (message : "a: \"b\" > c" or trace.id:*)') == [("message", "search"), ("trace.id", "search")]
    assert kql_uses("took>=3 and tags: (error or unparsed)") == [("took", "compare"), ("tags", "search")]


def test_a_flattened_field_has_any_subfield() -> None:
    items = copy.deepcopy(ITEMS)
    _attributes(items, ERRORS)["columns"] += ["mangakai.user.id", "kubernetes.labels.app"]
    _attributes(items, ERRORS)["sort"].append(["mangakai.user.id", "asc"])
    assert problems_of(items) == []


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda i: _item(i, VIEW).pop("managed"), "key managed"),
        (lambda i: _item(i, VIEW).update(updated_at="2026-01-01T00:00:00.000Z"), "key updated_at"),
        (lambda i: _item(i, BOARD).update(typeMigrationVersion="10.4.0"), "typeMigrationVersion is not 10.2.0"),
        (lambda i: _item(i, BOARD).pop("coreMigrationVersion"), "coreMigrationVersion is not 8.8.0"),
        (lambda i: _item(i, LEVELS).update(type="visualization"), "type 'visualization' is none of"),
        (lambda i: _attributes(i, BOARD).update(hits=0), "attribute hits"),
        (lambda i: _attributes(i, BOARD).pop("panelsJSON"), "attribute panelsJSON"),
        (lambda i: _attributes(i, ERRORS).pop("grid"), "attribute grid"),
        (lambda i: i.append(copy.deepcopy(i[0])), "mangakai-logs: id of 2 objects"),
        # references
        (lambda i: _references(i).pop(), "no reference 7:panel_7"),
        (lambda i: _references(i, LEVELS).clear(), "no reference indexpattern-datasource-layer-lines"),
        (lambda i: _references(i).append(_references(i)[0]), "1:panel_1 is there 2 times"),
        (lambda i: _references(i)[1].update(id="lost"), "there is no lens lost"),
        (lambda i: _references(i, ERRORS)[0].update(type="lens"), "there is no lens mangakai-logs"),
        (lambda i: i.remove(_item(i, LEVELS)), "there is no lens mangakai-log-levels"),
        (lambda i: _panel(i, 1).update(panelRefName="panel_0"), "no reference 1:panel_0"),
        (lambda i: _panel(i, 1).update(panelRefName="panel_0"), "reference 1:panel_1 is not used"),
        (lambda i: _source(i, ERRORS).pop("indexRefName"), "searchSourceJSON.index is not used"),
        (lambda i: _source(i, ERRORS)["filter"].append({"meta": {"indexRefName": "filter"}}), "no reference filter"),
        (lambda i: _attributes(i, LEVELS)["state"]["filters"].append({"meta": {"index": "f0"}}), "no reference f0"),
        (lambda i: layers(_item(i, LEVELS)).update(x={}), "no reference indexpattern-datasource-layer-x"),
        # fields
        (lambda i: _attributes(i, VIEW).update(timeFieldName="timestamp"), "timestamp is not in the mapping"),
        (lambda i: _attributes(i, VIEW).update(timeFieldName="message"), "no date_histogram of match_only_text"),
        (lambda i: _attributes(i, ERRORS)["columns"].append("error.code"), "error.code is not in the mapping"),
        (lambda i: _attributes(i, ERRORS)["columns"].append("trace"), "trace is not in the mapping"),
        (lambda i: _attributes(i, ERRORS)["grid"]["columns"].update(level={}), "level is not in the mapping"),
        (lambda i: _attributes(i, ERRORS)["sort"].append(["message", "asc"]), "no sort of match_only_text"),
        (lambda i: _column(i, "level").update(sourceField="level"), "level is not in the mapping"),
        (lambda i: _column(i, "level").update(sourceField="message"), "no terms of match_only_text"),
        (lambda i: _column(i, "level").update(sourceField="event.original"), "no terms of keyword"),
        (lambda i: _column(i, "time").update(sourceField="tags"), "no date_histogram of keyword"),
        (lambda i: _column(i, "level").update(operationType="median"), "no median of keyword"),
        (lambda i: _column(i, "count").update(filter=_kql("lvl: E")), "lvl is not in the mapping"),
        (lambda i: _filters(i)[0]["input"].update(query="status >= 200"), "status is not in the mapping"),
        (lambda i: _source(i, ERRORS)["filter"].append({"meta": {"key": "tag"}}), "tag is not in the mapping"),
        (_ask("tag: error"), "tag is not in the mapping"),
        (_ask("not (tags: error or event.original: x)"), "event.original is not indexed"),
        (_ask("log.level > 3"), "no compare of keyword"),
        (_ask('"tags: error"'), "names no field"),
        (_ask("tags: error", "lucene"), "is in lucene"),
        # what Lens draws
        (lambda i: _lens(i, LEVELS)[0].update(layerId="x"), "layer x is on one side only"),
        (lambda i: _lens(i, LEVELS)[0].update(splitAccessor="x"), "['x', 'time', 'count'] are drawn"),
        (lambda i: _lens(i, LEVELS)[0].pop("splitAccessor"), "['time', 'count'] are drawn"),
        (lambda i: _lens(i, LEVELS)[1]["columns"].pop("count"), "columns ['level', 'time']"),
        (lambda i: _lens(i, LEVELS)[1]["columnOrder"].reverse(), "in order ['count', 'time', 'level']"),
        (lambda i: _column(i, "time").update(isBucketed=False), "time is no bucket"),
        (lambda i: _column(i, "count").update(isBucketed=True), "count is a bucket"),
        (lambda i: _column(i, "level")["params"]["orderBy"].update(columnId="x"), "x is no number"),
        (lambda i: _filters(i)[3].update(label="500"), "colors of ['5xx']"),
        # panels
        (lambda i: _panel(i, 3)["gridData"].update(y=14), "panels overlap"),
        (lambda i: _panel(i, 2)["gridData"].update(x=25), "panel 2 leaves the 48 columns"),
        (lambda i: _panel(i, 1)["gridData"].update(x=-1), "panel 1 leaves the 48 columns"),
        (lambda i: _panel(i, 6)["gridData"].update(h=0), "panel 6 leaves the 48 columns"),
        (lambda i: _panel(i, 2)["gridData"].update(i="1"), "panel 2 is numbered 2 and 1"),
        (lambda i: _panel(i, 2).update(panelIndex="1"), "panel 2 is numbered 1 and 2"),
        (lambda i: _panel(i, 2).update(type="search"), "panel 2 refers to no search"),
        # the guide
        (lambda i: _item(i, BOARD).update(id="logs"), "S-082: there is no dashboard mangakai-logs-dashboard"),
        (lambda i: _attributes(i, BOARD).update(title="Logs"), "S-082: title"),
        (lambda i: _attributes(i, BOARD).update(timeRestore=False), "S-082: timeRestore"),
        (lambda i: _attributes(i, BOARD).update(timeFrom="now-7d"), "S-082: timeFrom"),
        (lambda i: _attributes(i, BOARD).update(timeTo="now/d"), "S-082: timeTo"),
        (lambda i: _panel(i, 1)["embeddableConfig"].update(title="Levels"), "S-083: embeddableConfig"),
        (lambda i: _panel(i, 1).update(panelRefName="panel_0"), "S-083: panelRefName"),
        (lambda i: _panel(i, 1)["gridData"].update(h=14), "S-083: h is not 15"),
        (lambda i: _attributes(i, BOARD)["panelsJSON"].reverse(), "S-083: panelIndex is not 1"),
    ],
)
def test_damage_is_noticed(damage: Callable[[list[Item]], Any], problem: str) -> None:
    items = copy.deepcopy(ITEMS)
    damage(items)
    noticed = problems_of(items)
    assert any(problem in text for text in noticed), noticed
