"""Whatever a pod or its clients write: each event is a document, with all of it, of a bounded size, that fits."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from components.logs.multiline import MAX_BYTES

from . import corpus
from .documents import documents, lost, made
from .multiline import joined
from .opensearch import Node
from .template import refused
from .test_multiline import LINES, RULE
from .test_pipelines import PIPELINES

NAMES = [
    *["@timestamp", "timestamp", "asctime", "log.level", "level", "levelname", "log", "log.logger", "logger", "name"],
    *["message", "event", "trace.id", "trace_id", "trace", "span.id", "error", "error.type", "error.message"],
    *["error.stack_trace", "exc_info", "exception", "mangakai", "tags", "@metadata", "_id", "line", "service"],
]
WORDS = [
    "ERROR",
    "info",
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "2026-01-31T10:00:00Z",
    "2099-01-01 00:00:00",
    "1769853600",
    "",
]
text = st.text(st.characters(exclude_characters="\n\r"), max_size=30)
word = text | st.sampled_from(WORDS)
# An ingest node takes no integers of more than 64 bits, which Logstash does.
number = (
    st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([1769853600, 1769853600.123, 1e19])
)
names = st.sampled_from(NAMES) | text
inner = st.recursive(
    st.none() | st.booleans() | number | word,
    lambda value: st.lists(value, max_size=3) | st.dictionaries(names, value, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(names, inner, max_size=8)
json_lines = objects.map(json.dumps)
deep = st.integers(1, 1200).map(lambda levels: '{"message":"deep","a":' * levels + "1" + "}" * levels)
broken = st.tuples(
    json_lines, st.sampled_from(["", "}", " 42", "{}", '"', "]", ",1", " text", "\0"]), st.integers(0, 40)
).map(lambda parts: (parts[0] + parts[1])[parts[2] // 20 :])
forms = st.tuples(st.sampled_from([*LINES.values()]), text).map(lambda parts: f"{parts[0]} {parts[1]}")
below = st.sampled_from(
    ["", "  indented", "Traceback (most recent call last):", "KeyError: 1", "a.b.Wrong: x", "}", "\t"]
)
any_line = st.one_of(text, json_lines, deep, broken, forms, below).map(
    lambda line: line.encode(errors="replace").replace(b"\n", b" ")
)


def nginx(client: str, user: str, request: str, agent: str) -> str:
    """Return the line that nginx writes of a request: what a client sends has quotes and control characters escaped."""
    user, request, agent = ("".join(_escaped(each) for each in value) for value in (user, request, agent))
    return f'{client} - {user or "-"} [31/Jan/2026:10:00:00 +0000] "{request}" 401 179 "-" "{agent or "-"}"'


def _escaped(character: str) -> str:
    return f"\\x{ord(character):02X}" if character in '"\\' or character < " " or character == "\x7f" else character


def filtered(node: Node, lines: list[str], service: str) -> list[list[dict[str, Any]]]:
    events = [corpus.Case("", line, service, {}).event() for line in lines]
    return documents(node, (PIPELINES / "main.conf").read_text(), events)


def check(node: Node, lines: list[bytes]) -> None:
    events = [event.decode(errors="replace") for event in joined(lines, RULE, MAX_BYTES)]
    for event, found in zip(events, filtered(node, events, "mangakai-backend"), strict=True):
        assert len(found) == 1 or (len(found) == 2 and event.lstrip().startswith("{")), event
        assert not lost(event, [made(each) for each in found]), event
        for document in found:
            assert not refused(document), event
            assert document["@timestamp"][:4].isdigit(), event
            assert document["@timestamp"] <= corpus.READ_AT, event
            assert len(json.dumps(document, ensure_ascii=False).encode()) < 8 * len(event.encode()) + 2000, event


# Not shrunk: what fails names the one event, and each try asks the node.
phases = [Phase.explicit, Phase.reuse, Phase.generate]
few = settings(max_examples=3, deadline=None, derandomize=True, phases=phases, suppress_health_check=list(HealthCheck))
many = settings(few, max_examples=100)
lines = st.lists(any_line, min_size=100, max_size=200)


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@few
@given(lines=lines)
def test_each_event_is_a_document_with_all_of_it(node: Node, lines: list[bytes]) -> None:
    check(node, lines)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@many
@given(lines=lines)
def test_each_of_ten_thousand_lines_is_in_a_document(node: Node, lines: list[bytes]) -> None:
    check(node, lines)


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@few
@given(requests=st.lists(st.tuples(text, text, text), min_size=50, max_size=100))
def test_no_client_hides_from_nginx_s_fields(node: Node, requests: list[tuple[str, str, str]]) -> None:
    requests = [tuple(part.encode(errors="replace").decode() for part in each) for each in requests]  # type: ignore[misc]
    clients = ["203.0.113.9", "unix:", "2001:db8::1", "gateway.example.com"] * len(requests)
    found = filtered(node, [nginx(client, *each) for client, each in zip(clients, requests, strict=False)], "nginx")
    for client, request, [document] in zip(clients, requests, found, strict=False):
        assert document["source"]["address"] == client, request
        assert document["http"]["response"]["status_code"] == 401, request
        assert document["@timestamp"].startswith("2026-01-31T10:00:00"), request
