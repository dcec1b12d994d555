"""The filters of main.conf, run by a real ingest node over the corpus: the right fields, and nothing lost."""

import json
import re
import time
from typing import Any

import pytest

from components.logs import filebeat
from components.settings.logs import FilebeatSettings
from tests.offline import ROOT

from . import corpus, ingest
from .opensearch import Node
from .pipeline_file import Branch, Plugin, UnknownError, field, filters

PIPELINES = ROOT / "components" / "logs" / "pipelines"
CASES = {case.name: case for case in corpus.cases()}
Documents = dict[str, dict[str, Any]]


def run(node: Node, text: str, cases: list[corpus.Case]) -> Documents:
    """Return the document that becomes of each case, by its name."""
    events = [{"_index": "corpus", "_id": case.name, "_source": case.event()} for case in cases]
    answer = node.ask("POST", "/_ingest/pipeline/_simulate", {"pipeline": ingest.pipeline(text), "docs": events})
    found = {}
    for case, result in zip(cases, answer["docs"], strict=True):
        assert "doc" in result, f"{case.name}: {json.dumps(result)[:2000]}"
        found[case.name] = result["doc"]["_source"]
    return found


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


@pytest.fixture(scope="module")
def documents(node: Node) -> Documents:
    began = time.monotonic()
    documents = run(node, (PIPELINES / "main.conf").read_text(), list(CASES.values()))
    size = sum(len(case.line) for case in CASES.values()) / 1e6
    took = time.monotonic() - began
    print(f"\n{len(documents)} lines, {size:.1f} MB, in {took:.1f} s (node up in {node.started_in:.1f} s)")
    return documents


@pytest.mark.parametrize("name", CASES)
@pytest.mark.requirement("S-005", "S-071", "S-072", "S-073", "S-074")
def test_a_line_becomes_its_fields(documents: Documents, name: str) -> None:
    assert made(documents[name]) == CASES[name].expect


@pytest.mark.parametrize("name", CASES)
def test_nothing_of_a_line_is_lost(documents: Documents, name: str) -> None:
    line, document = CASES[name].line, made(documents[name])
    if document["message"] == line:
        return
    if "mangakai" in document:
        kept = "\n".join(map(str, _leaves(list(document.values())))).upper()
        lost = {str(each) for each in _leaves(json.loads(line)) if each is not None and str(each).upper() not in kept}
        assert lost <= {str(json.loads(line).get(key)) for key in ("@timestamp", "timestamp", "level")}
    else:
        head = line.removesuffix(document["message"])
        assert head != line
        for name in ("log.level", "log.logger"):
            head = re.sub(re.escape(document.get(name, "")), "", head, count=1, flags=re.IGNORECASE)
        assert not re.sub("WARN|warn|crit", "", head).strip("[]: #/-+,.TZ0123456789")


def test_filebeat_joins_the_lines_as_the_corpus_has_them() -> None:
    inputs = filebeat.render(FilebeatSettings(), "logstash:5044", "mangakai-prod")["filebeat.inputs"]
    [rule] = [parser["multiline"] for parser in inputs[0]["parsers"] if "multiline" in parser]
    assert (rule["negate"], rule["match"]) == (True, "after")
    for name, case in CASES.items():
        assert not [later for later in case.line.split("\n")[1:] if re.search(rule["pattern"], later)], name


MUTATIONS = {
    "patterns that begin anywhere": (r'"\A', '"'),
    "a message that is not overwritten": ('overwrite => ["message"]', "overwrite => []"),
    "CRITICAL is no error": ('"CRITICAL", "FATAL"', '"FATAL"'),
    "FATAL is no error": ('"CRITICAL", "FATAL"', '"CRITICAL"'),
    "EMERG is no error": (', "EMERG"', ""),
    "a rename to another field": ('"[line][logger]" => "[log][logger]"', '"[line][logger]" => "[log][level]"'),
    "a rename that is missing": ('"[line][trace_id]" => "[trace][id]"', ""),
    "what a line says over what Filebeat says": ('"line" => "mangakai"', '"line" => "kubernetes"'),
    "any line is JSON": (r"=~ /\A\s*\{/", "=~ /./"),
    "JSON goes through the patterns too": ("} else if [service][name]", "} if [service][name]"),
    "a message where there is none": ("if [line][message] {", "if [line] {"),
    "nginx by another name": ('== "nginx"', '== "ngnix"'),
    "nginx everywhere": ('[service][name] == "nginx"', '[service][name] != "nginx"'),
    "a status that is text": ("[status_code]:int", "[status_code]"),
    "no address": ('"[source][address]" => "[source][ip]"', '"[source][address]" => "[source][mac]"'),
    "a logger that may be anything": (r'"[^\s\[\]]+"', '".*?"'),
    "unparsed lines that are not tagged": ('tag_on_failure => ["unparsed"]', "tag_on_failure => []"),
    "a trace that is not looked for": ("if ![trace][id]", "if [trace][id]"),
    "an exception that is not looked for": ("if ![error][type]", "if [error][type]"),
    "the first exception instead of the last": (r"(?>(?m:.*\n%{PYTHON_HEAD})?)", ""),
    "another zone": ('timezone => "UTC"', 'timezone => "Asia/Ho_Chi_Minh"'),
    "nginx's date in no format": ('"dd/MMM/yyyy:HH:mm:ss Z", ', ""),
    "no seconds since 1970": (', "UNIX"', ""),
    "a time that is kept twice": ('remove_field => ["timestamp"]', ""),
    "an object where a word belongs": ("if [log][level] and", "if [log][levels] and"),
    "levels as they come": ('uppercase => ["[log][level]"]', ""),
    "WARN that stays": ('"^WARN$", "WARNING"', '"^WARN$", "WARN"'),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_mistake_in_the_file_is_seen(node: Node, mutation: str) -> None:
    text, (old, new) = (PIPELINES / "main.conf").read_text(), MUTATIONS[mutation]
    assert old in text, "the mutation fits the file no longer"
    cases = [case for case in CASES.values() if not case.name.startswith("large")]
    documents = run(node, text.replace(old, new), cases)
    different = [case.name for case in cases if made(documents[case.name]) != case.expect]
    print(f"{len(different)} lines differ: {', '.join(different[:3])}")
    assert different


@pytest.mark.parametrize(
    ("filters_of_a_file", "unknown"),
    [
        ("drop {}", "plugin drop"),
        ('mutate { lowercase => ["message"] }', "options lowercase"),
        ('grok { match => { "message" => "%{NGINXACCESS}" } }', "grok pattern NGINXACCESS"),
        ('date { match => ["timestamp", "EEEE w"] timezone => "UTC" locale => "en" }', "date format"),
        ("if [a] > 1 { json { source => 'a' target => 'b' } }", "condition"),
    ],
)
def test_what_cannot_be_run_here_is_named(filters_of_a_file: str, unknown: str) -> None:
    with pytest.raises(UnknownError, match=unknown):
        ingest.pipeline(f"filter {{ {filters_of_a_file} }}")


def test_the_mail_about_errors_is_held_back_before_it_is_sent() -> None:
    """Its filters throttle, drop and truncate, which only Logstash has: their order and options are what is checked."""
    *defaults, throttle, dropped, truncate = filters((PIPELINES / "errors.conf").read_text())
    fields = {}
    for each in defaults:
        assert isinstance(each, Branch)
        [(condition, [mutate])] = each.ways
        assert isinstance(mutate, Plugin)
        [(name, value)] = mutate.options["add_field"].items()
        assert condition
        assert (condition.operator, condition.operands[0].operands[0]) == ("!", field(name))
        fields[name] = value
    assert fields == {"[service][name]": "unknown", "[log][logger]": "unknown", "[trace][id]": ""}
    assert isinstance(throttle, Plugin)
    assert set(re.findall(r"%\{([^}]+)\}", throttle.options["key"])) < set(fields)
    assert isinstance(dropped, Branch)
    [(condition, [drop])] = dropped.ways
    assert condition
    assert condition.operands == (throttle.options["add_tag"][0], field("[tags]"))
    assert drop == Plugin("drop", {})
    assert truncate == Plugin("truncate", {"fields": ["message"], "length_bytes": 4096})


def _leaves(value: Any) -> list[Any]:
    match value:
        case dict():
            return [leaf for inner in value.values() for leaf in _leaves(inner)]
        case list():
            return [leaf for inner in value for leaf in _leaves(inner)]
    return [value]
