"""The index template on a real node: what the pipeline makes of the corpus goes in, and is found again."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from components.logs.index.set_up import ALIAS

from . import corpus
from .documents import documents
from .opensearch import Node
from .template import FIRST_INDEX, fields, of_opensearch, refused
from .test_pipelines import EXPECTED, PIPELINES

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
MALFORMED: dict[str, Any] = {
    "http.response.status_code": "abc",
    "http.response.body.bytes": "many",
    "source.ip": "unix:",
    "@timestamp": "yesterday",
    "event.duration": "1.5 s",
}


@pytest.fixture(scope="module")
def filled(node: Node) -> Iterator[Node]:
    """Yield a node whose first index holds the corpus."""
    node.ask("PUT", f"/_index_template/{ALIAS}", of_opensearch())
    node.ask("PUT", f"/{FIRST_INDEX}", {"aliases": {ALIAS: {"is_write_index": True}}})
    cases = corpus.cases()
    found = documents(node, (PIPELINES / "main.conf").read_text(), [case.event() for case in cases])
    lines = [
        line
        for case, several in zip(cases, found, strict=True)
        for name, document in zip(case.documents(), several, strict=True)
        for line in ({"create": {"_id": name}}, document)
    ]
    answer = node.ask("POST", f"/{ALIAS}/_bulk?refresh=true", lines)
    errors = [item["create"] for item in answer["items"] if "error" in item["create"]]
    assert not errors, json.dumps(errors, indent=2)[:4000]
    print(f"\n{len(answer['items'])} documents: {answer['took']} ms to index")
    yield node
    node.ask("DELETE", f"/{ALIAS}-*")
    node.ask("DELETE", f"/_index_template/{ALIAS}")


def search(node: Node, query: dict[str, Any], **more: Any) -> Any:
    return node.ask("POST", f"/{ALIAS}/_search", {"query": query, "size": 1000, "track_total_hits": True, **more})


def names(answer: Any) -> set[str]:
    return {hit["_id"] for hit in answer["hits"]["hits"]}


def expected(name: str, value: Any) -> set[str]:
    """Return the names of the lines that have a field with this value, or one of their values is it."""
    found = [(each, expect.get(name)) for each, expect in EXPECTED.items()]
    return {each for each, is_ in found if value in (is_ if isinstance(is_, list) else [is_])}


def test_each_line_is_a_document_with_its_text(filled: Node) -> None:
    found = {hit["_id"]: hit["_source"] for hit in search(filled, {"match_all": {}})["hits"]["hits"]}
    assert found.keys() == EXPECTED.keys()
    for name, expect in EXPECTED.items():
        assert found[name]["message"] == expect["message"]
        assert found[name].get("mangakai") == expect.get("mangakai")


def test_the_mapping_is_the_template_s_whatever_the_lines_hold(filled: Node) -> None:
    mapping = filled.ask("GET", f"/{FIRST_INDEX}/_mapping")[FIRST_INDEX]["mappings"]
    assert fields(mapping) == fields(of_opensearch()["template"]["mappings"])


def test_elasticsearch_refuses_none_of_the_documents(filled: Node) -> None:
    """By its sources (KeywordFieldMapper, FlattenedFieldParser): OpenSearch is more patient."""
    for hit in search(filled, {"match_all": {}})["hits"]["hits"]:
        assert not refused(hit["_source"]), hit["_id"]


def test_lines_are_found_by_service(filled: Node) -> None:
    answer = search(filled, {"match_all": {}}, aggs={"services": {"terms": {"field": "service.name"}}})
    counts = {bucket["key"]: bucket["doc_count"] for bucket in answer["aggregations"]["services"]["buckets"]}
    services = [case.service for case in corpus.cases() for _ in case.documents() if case.service]
    assert counts == {name: services.count(name) for name in services}


def test_log_levels_over_time(filled: Node) -> None:
    levels = {"terms": {"field": "log.level", "size": 20}}
    days = {"date_histogram": {"field": "@timestamp", "calendar_interval": "day", "min_doc_count": 1}}
    answer = search(filled, {"match_all": {}}, aggs={"days": {**days, "aggs": {"levels": levels}}})
    buckets = {bucket["key_as_string"][:10]: bucket for bucket in answer["aggregations"]["days"]["buckets"]}
    assert buckets.keys() == {"2026-01-31", "2026-02-01"}
    errors = {
        name
        for name, expect in EXPECTED.items()
        if expect.get("log.level") == "ERROR" and expect["@timestamp"].startswith("2026-01-31")
    }
    counts = {bucket["key"]: bucket["doc_count"] for bucket in buckets["2026-01-31"]["levels"]["buckets"]}
    assert counts["ERROR"] == len(errors)
    assert {"INFO", "WARNING", "CRITICAL", "FATAL", "EMERG", "ALERT", "NOTICE", "DEBUG"} <= counts.keys()


@pytest.mark.parametrize("tag", ["error", "unparsed", "future", "_dateparsefailure"])
def test_tags_are_found(filled: Node, tag: str) -> None:
    found = names(search(filled, {"query_string": {"query": f"tags:{tag}"}}))
    assert found == expected("tags", tag)
    assert found


def test_a_trace_is_found_by_its_id_and_by_nothing_less(filled: Node) -> None:
    assert names(search(filled, {"term": {"trace.id": TRACE}})) == expected("trace.id", TRACE)
    assert not names(search(filled, {"term": {"trace.id": TRACE[:31]}}))


def test_status_codes_are_numbers_and_addresses_are_addresses(filled: Node) -> None:
    codes = names(search(filled, {"range": {"http.response.status_code": {"gte": 500}}}))
    assert codes == {each for code in (500, 502, 504) for each in expected("http.response.status_code", code)}
    assert names(search(filled, {"term": {"source.ip": "2001:db8::/32"}})) == {"nginx: IPv6"}


def test_words_of_a_message_are_found(filled: Node) -> None:
    assert "backend: text of other scripts" in names(search(filled, {"match_phrase": {"message": "ワンピース"}}))
    assert names(search(filled, {"match_phrase": {"error.stack_trace": "raise NotFound"}})) == {
        "backend: a chained traceback ends with what was raised"
    }


def test_what_has_no_field_of_its_own_is_found_too(filled: Node) -> None:
    assert names(search(filled, {"term": {"mangakai.user_id": "42"}})) == {"json: the short names of loggers"}
    assert names(search(filled, {"term": {"mangakai.key_399": "399"}})) == {"large: JSON of 400 keys"}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_value_is_kept(filled: Node, name: str) -> None:
    document: dict[str, Any] = {"@timestamp": corpus.READ_AT, "message": "odd"}
    *parents, last = name.split(".")
    inner = document
    for parent in parents:
        inner = inner.setdefault(parent, {})
    inner[last] = MALFORMED[name]
    index = f"{ALIAS}-malformed"
    filled.ask("PUT", f"/{index}/_create/{name}?refresh=true", document)
    hits = filled.ask("POST", f"/{index}/_search", {"query": {"term": {"_ignored": name}}})["hits"]["hits"]
    assert [hit["_source"] for hit in hits] == [document]
