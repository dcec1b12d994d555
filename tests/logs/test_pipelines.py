"""The filters of main.conf, run by a real ingest node over the corpus: the right fields, and nothing lost."""

import re
import time
from typing import Any

import pytest

from tests.offline import ROOT

from . import corpus, ingest
from .documents import documents, lost, made
from .opensearch import Node
from .pipeline_file import Branch, Plugin, UnknownError, field, filters

PIPELINES = ROOT / "components" / "logs" / "pipelines"
CASES = {case.name: case for case in corpus.cases()}
EXPECTED = {name: expect for case in CASES.values() for name, expect in case.documents().items()}
Documents = dict[str, dict[str, Any]]


def run(node: Node, text: str, cases: list[corpus.Case]) -> Documents:
    """Return the documents that become of the cases, by name."""
    results = documents(node, text, [case.event() for case in cases])
    found: Documents = {}
    for case, several in zip(cases, results, strict=True):
        assert len(several) == len(case.documents()), case.name
        found |= dict(zip(case.documents(), several, strict=True))
    return found


@pytest.fixture(scope="module")
def made_of_the_corpus(node: Node) -> Documents:
    began = time.monotonic()
    found = run(node, (PIPELINES / "main.conf").read_text(), list(CASES.values()))
    size = sum(len(case.line) for case in CASES.values()) / 1e6
    took = time.monotonic() - began
    print(f"\n{len(CASES)} lines, {size:.1f} MB, in {took:.1f} s (node up in {node.started_in:.1f} s)")
    return {name: made(document) for name, document in found.items()}


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.requirement("S-005", "S-071", "S-072", "S-073", "S-074")
def test_a_line_becomes_its_fields(made_of_the_corpus: Documents, name: str) -> None:
    assert made_of_the_corpus[name] == EXPECTED[name]


@pytest.mark.parametrize("name", CASES)
def test_nothing_of_a_line_is_lost(made_of_the_corpus: Documents, name: str) -> None:
    case = CASES[name]
    assert not lost(case.line, [made_of_the_corpus[each] for each in case.documents()])


MUTATIONS = {
    "patterns that begin anywhere": (r'"\A', '"'),
    "a message that is not overwritten": ('overwrite => ["message"]', "overwrite => []"),
    "CRITICAL is no error": ('"CRITICAL", "FATAL"', '"FATAL"'),
    "FATAL is no error": ('"CRITICAL", "FATAL"', '"CRITICAL"'),
    "EMERG is no error": (', "EMERG"', ""),
    "a rename to another field": ('"[line][logger]" => "[log][logger]"', '"[line][logger]" => "[log][level]"'),
    "a rename that is missing": ('"[line][trace_id]" => "[trace][id]"', '"[line][trace_id]" => "[line][trace]"'),
    "what a line says over what Filebeat says": ('"line" => "mangakai"', '"line" => "kubernetes"'),
    "any line is JSON": (r"=~ /\A\s*\{/", "=~ /./"),
    "JSON goes through the patterns too": ("} else if [service][name]", "} if [service][name]"),
    "a message that is a number": ("if [line][message] =~ /\\S/ {", "if [line][message] {"),
    "short names before those of ECS": ("if ![log][logger] and [line][logger]", "if [line][logger]"),
    "a level that is a number": ("and [line][level] =~ /\\S/", "and [line][level]"),
    "any year": (r"/\A\d{4}-\d\d|", "/"),
    "numbers of any size as times": (r"[seconds] =~ /\A\d{10}(?:\.\d{1,9})?\z/", "[seconds] =~ /./"),
    "NUL in keys": ("u(?:0000|", "u(?:"),
    "the last of several values": ('"[%{message}]"', '"%{message}"'),
    "JSON of any depth": ("{400}|", "{4000}|"),
    "what is appended to JSON": ("\\n\\s*\\S/ {", "\\n\\s*\\S$^/ {"),
    "a time that is still to come": (
        "[@metadata][said] > [@metadata][written]",
        "[@metadata][written] > [@metadata][said]",
    ),
    "a user without spaces": ('"NGINX_TEXT" => \'[^"]*\'', '"NGINX_TEXT" => \'[^" ]*\''),
    "no group of exceptions": ("|%{PYTHON_GROUP_HEAD})", ")"),
    "an exception of ASCII alone": ("[[:alpha:]_][[:alnum:]_.<>]*", "[A-Za-z_][A-Za-z0-9_.]*"),
    "an exception without a level": (" or ([error][type] and ![log][level])", ""),
    "gunicorn's form": (r"\[%{GUNICORN_DATE:timestamp}\]", r"\[%{GUNICORN_DATE}\]"),
    "nginx by another name": ('== "nginx"', '== "ngnix"'),
    "nginx everywhere": ('[service][name] == "nginx"', '[service][name] != "nginx"'),
    "a status that is text": ("[status_code]:int", "[status_code]"),
    "no address": ('"[source][address]" => "[source][ip]"', '"[source][address]" => "[source][mac]"'),
    "a logger that may be anything": (r'"[^\s\[\]]+"', '".*?"'),
    "unparsed lines that are not tagged": ('tag_on_failure => ["unparsed"]', "tag_on_failure => []"),
    "a trace that is not looked for": ("  if ![trace][id] {", "  if [trace][id] {"),
    "an exception that is not looked for": ("  if ![error][type] {", "  if [error][type] {"),
    "the first exception instead of the last": (r"(?>(?m:.*\n%{PYTHON_START})?)", ""),
    "another zone": ('timezone => "UTC"', 'timezone => "Asia/Ho_Chi_Minh"'),
    "nginx's date in no format": ('"dd/MMM/yyyy:HH:mm:ss Z", ', ""),
    "no seconds since 1970": (', "UNIX"', ""),
    "a time that is kept twice": ('remove_field => ["timestamp"]', ""),
    "levels as they come": ('uppercase => ["[log][level]"]', ""),
    "WARN that stays": ('"^WARN$", "WARNING"', '"^WARN$", "WARN"'),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_mistake_in_the_file_is_seen(node: Node, mutation: str) -> None:
    text, (old, new) = (PIPELINES / "main.conf").read_text(), MUTATIONS[mutation]
    assert old in text, "the mutation fits the file no longer"
    cases = [case for case in CASES.values() if not case.name.startswith("large")]
    results = documents(node, text.replace(old, new), [case.event() for case in cases])
    different = [
        case.name
        for case, several in zip(cases, results, strict=True)
        if [made(each) for each in several] != [*case.documents().values()]
    ]
    print(f"{len(different)} lines differ: {', '.join(different[:3])}")
    assert different


@pytest.mark.parametrize(
    ("filters_of_a_file", "unknown"),
    [
        ("drop {}", "plugin drop"),
        ('mutate { lowercase => ["message"] }', "options lowercase"),
        ('grok { match => { "message" => "%{NGINXACCESS}" } }', "grok pattern NGINXACCESS"),
        ('date { match => ["timestamp", "EEEE w"] timezone => "UTC" locale => "en" }', "date format"),
        ("if [a] < 1 { json { source => 'a' target => 'b' } }", "condition"),
    ],
)
def test_what_cannot_be_run_here_is_named(filters_of_a_file: str, unknown: str) -> None:
    with pytest.raises(UnknownError, match=unknown):
        ingest.pipelines(f"filter {{ {filters_of_a_file} }}")


def test_nothing_follows_a_split_in_its_branch() -> None:
    with pytest.raises(UnknownError, match="after split"):
        ingest.pipelines("filter { if [a] { split { field => 'a' target => 'b' } mutate { copy => { 'a' => 'b' } } } }")


def test_the_mail_about_errors_is_held_back_before_it_is_sent() -> None:
    """Its filters throttle, drop and truncate, which only Logstash has: their order and options are what is checked."""
    *defaults, hour, written, throttle, dropped, truncate = filters((PIPELINES / "errors.conf").read_text())
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
    # The link has the error's own time; the throttle, which counts by it, is not given one that a line has made up.
    assert hour == Plugin("mutate", {"add_field": {"[@metadata][hour]": "%{+YYYY-MM-dd}T%{+HH}:00:00.000Z"}})
    assert written == Plugin("mutate", {"copy": {"[@metadata][written]": "@timestamp"}})
    assert isinstance(throttle, Plugin)
    assert set(re.findall(r"%\{([^}]+)\}", throttle.options["key"])) < set(fields)
    assert isinstance(dropped, Branch)
    [(condition, [drop])] = dropped.ways
    assert condition
    assert condition.operands == (throttle.options["add_tag"][0], field("[tags]"))
    assert drop == Plugin("drop", {})
    assert truncate == Plugin("truncate", {"fields": ["message"], "length_bytes": 4096})
