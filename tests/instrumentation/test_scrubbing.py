"""What is sensitive never leaves the process, and what is not stays as it was (D-130, D-131)."""

import copy
import json
import string
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mangakai_instrumentation.scrubbing import FILTERED, scrub, scrub_event

Event = dict[str, Any]
SECRETS = st.text(string.ascii_letters + string.digits, min_size=8, max_size=60)
MANY = settings(max_examples=200, deadline=None, derandomize=True)
TEXTS: list[Callable[[str], str]] = [
    lambda secret: f"postgresql://mangakai:{secret}@db:5432/mangakai",
    lambda secret: f"postgresql+asyncpg://mangakai:a/{secret}@db/mangakai",
    lambda secret: f"postgresql://mangakai:a@{secret}#b@db/mangakai",
    lambda secret: f"redis://:{secret}@redis:6379/0 is away",
    lambda secret: f"https://{secret}@sentry.io/1",
    lambda secret: f"GET https://s3.example.com/a/b.png?X-Amz-Signature={secret}&x=1 answered 403",
    lambda secret: f"GET /callback?code={secret} HTTP/1.1",
    lambda secret: f"sent Bearer {secret}, got 401",
    lambda secret: f"Authorization: Bearer {secret}",
    lambda secret: f"authorization: ApiKey {secret}",
    lambda secret: f"Authorization: Basic {secret}==",
    lambda secret: f"Cookie: theme=dark; sid={secret}; lang=en",
    lambda secret: f"Set-Cookie: sid={secret}; Path=/",
    lambda secret: f"X-API-Key: {secret}",
    lambda secret: f"api key: {secret}",
    lambda secret: f"connection failed: host=db user=mangakai password={secret} dbname=mangakai",
    lambda secret: f"DB_PASSWORD = '{secret}'",
    lambda secret: f"user=a&access_token={secret}&x=1",
    lambda secret: f"password=password={secret}",
    lambda secret: f'password="{secret}',
    lambda secret: f"password='it\\'s {secret}'",
    lambda secret: json.dumps({"a": 1, "refresh_token": secret, "b": 2}),
    lambda secret: json.dumps({"a": 1, "password": f'"{secret}', "b": 2}),
    lambda secret: json.dumps({"body": json.dumps({"password": secret})}),
    lambda secret: json.dumps(json.dumps({"body": json.dumps({"client_secret": f"a {secret}"})})),
    lambda secret: repr({"password": secret.encode(), "pages": 3}),
    lambda secret: f"config['secret'] = {secret}",
    lambda secret: f"Key (token)=({secret}) already exists.",
    lambda secret: f"(sqlite3.OperationalError) locked\n[SQL: PRAGMA a = ?]\n[parameters: ('{secret}',)]\n(Background)",
]
PLACES: list[Callable[[str], Event]] = [
    lambda text: {"exception": {"values": [{"type": "RuntimeError", "value": text}]}},
    lambda text: {"logentry": {"message": text, "params": []}},
    lambda text: {"message": text},
    lambda text: {"breadcrumbs": {"values": [{"type": "log", "message": text}]}},
    lambda text: {"breadcrumbs": {"values": [{"type": "http", "data": {"url": text, "status_code": 200}}]}},
    lambda text: {"extra": {"arguments": ["a", [text]]}},
    lambda text: {"contexts": {"celery": {"kwargs": {"address": text}}}},
    lambda text: {"request": {"method": "GET", "url": text}},
    lambda text: {"request": {"headers": {"User-Agent": text}}},
    lambda text: {"type": "transaction", "spans": [{"description": text, "data": {"db.statement": text}}]},
    lambda text: {"type": "transaction", "spans": [{"data": {"http.url": text, "url.full": text}}]},
    lambda text: {"type": "transaction", "contexts": {"trace": {"data": {"http.target": text}}}},
]
NAMES = st.sampled_from(
    [
        "password", "db.passwd", "PGPASSWORD", "pwd", "secret", "clientSecret", "AWS_SECRET_ACCESS_KEY", "token",
        "access_token", "X-Auth-Token", "Authorization", "proxy-authorization", "authentication", "Cookie", "cookies",
        "Set-Cookie", "session", "sessionid", "credentials", "x-api-key", "apiKey", "x-goog-api-key", "private_key",
        "X-CSRFToken", "jwt", "signature", "sentry_dsn", "X-Forwarded-For", "X-Real-IP", "REMOTE_ADDR",
        "client.address", "http.client_ip", "net.peer.ip", "query_string", "http.query", "url.query",
        "http.request.header.authorization", "http.request.header.cookie",
    ]
)  # fmt: skip
NAMED: list[Callable[[str, Any], Event]] = [
    lambda name, value: {"extra": {"deep": [{"a": {name: value}}]}},
    lambda name, value: {"tags": {name: value}},
    lambda name, value: {"contexts": {"response": {"headers": {name: value}}}},
    lambda name, value: {"breadcrumbs": {"values": [{"category": "httpx", "data": {name: value}}]}},
    lambda name, value: {"type": "transaction", "spans": [{"data": {name: value}}]},
    lambda name, value: {"type": "transaction", "contexts": {"trace": {"data": {name: value}}}},
]
REQUESTS: list[Callable[[str], Event]] = [
    lambda secret: {"headers": {"X-Whatever": secret}},
    lambda secret: {"headers": [["authorization", secret], ["host", "mangakai.com"]]},
    lambda secret: {"headers": None, "cookies": {"a": secret}},
    lambda secret: {"cookies": f"a={secret}"},
    lambda secret: {"query_string": f"q={secret}"},
    lambda secret: {"query_string": [["q", secret]]},
    lambda secret: {"data": {"prompt": secret}},
    lambda secret: {"data": f"prompt is {secret}"},
    lambda secret: {"env": {"REMOTE_HOST": secret}},
    lambda secret: {"url": f"https://mangakai.com/a?b={secret}"},
]
ORDINARY: Event = {
    "event_id": "9d3b1e0c8f0d4a3e8a7d6f5e4c3b2a19",
    "timestamp": "2026-11-26T14:00:00.000000Z",
    "level": "error",
    "platform": "python",
    "logger": "mangakai.pages",
    "transaction": "/api/manga/{number}",
    "transaction_info": {"source": "route"},
    "environment": "production",
    "release": "mangakai@1.0.0",
    "server_name": "mangakai-backend-7d4b9",
    "logentry": {"message": "page %s of %s: why? /srv/manga/7 is full, 80 % done", "params": [3, "ten"]},
    "exception": {
        "values": [
            {
                "type": "ValueError",
                "value": "invalid literal for int() with base 10: 'x' (author@example.com, http://minio:9000/a/@2x.png)",
                "mechanism": {"type": "starlette", "handled": False},
                "stacktrace": {
                    "frames": [
                        {
                            "filename": "app/pages.py",
                            "abs_path": "/srv/app/pages.py",
                            "function": "draw",
                            "lineno": 42,
                            "in_app": True,
                            "pre_context": ["def draw(page: int, token) -> bytes:", '    """Draw."""'],
                            "context_line": "    return ink[page] / 2 if page else {'a': None}",
                        }
                    ]
                },
            }
        ]
    },
    "request": {
        "method": "POST",
        "url": "https://mangakai.com/api/manga/7",
        "headers": {"user-agent": "Mozilla/5.0 (X11)", "Content-Type": "application/json", "x-request-id": "abc-1"},
    },
    "user": {"id": "17"},
    "breadcrumbs": {"values": [{"category": "redis", "message": "GET 'manga:7'", "data": {"redis.is_cluster": False}}]},
    "contexts": {"trace": {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7"}},
    "spans": [{"op": "db", "description": "SELECT a FROM b WHERE c = %s", "data": {"db.system": "postgresql"}}],
    "tags": {"author": "Tezuka", "http.route": "/api/manga/{number}", "http.status_code": 500, "ratio": 0.5},
    "extra": {"pages": [1, 2, None, True]},
}


def assert_hidden(secret: str, build: Callable[[str], Event]) -> None:
    """Assert that an event that holds a secret leaves without it, and is then done with."""
    # Some secret is a word of the event itself.
    assume(secret not in json.dumps([build(""), FILTERED, ORDINARY]))
    event = {**copy.deepcopy(ORDINARY), **build(secret)}
    scrubbed = scrub_event(event, {})
    assert secret not in json.dumps(scrubbed)
    assert scrub_event(copy.deepcopy(scrubbed), {}) == scrubbed


@MANY
@given(SECRETS, st.sampled_from(TEXTS), st.sampled_from(PLACES))
def test_no_text_shows_a_secret(secret: str, text: Callable[[str], str], place: Callable[[str], Event]) -> None:
    assert_hidden(secret, lambda hidden: place(text(hidden)))


@MANY
@given(SECRETS, NAMES, st.sampled_from([str, str.upper, str.lower]), st.sampled_from(NAMED))
@pytest.mark.requirement("S-097")
def test_no_secret_is_shown_under_its_name(
    secret: str, name: str, case: Callable[[str], str], place: Callable[[str, Any], Event]
) -> None:
    for shape in (lambda hidden: hidden, lambda hidden: [hidden], lambda hidden: {"a": {"b": hidden}}):
        assert_hidden(secret, lambda hidden, shape=shape: place(case(name), shape(hidden)))  # type: ignore[misc]


@MANY
@given(SECRETS, st.sampled_from(REQUESTS))
@pytest.mark.requirement("S-097")
def test_of_a_request_only_what_finds_the_mistake_is_sent(secret: str, request: Callable[[str], Event]) -> None:
    assert_hidden(secret, lambda hidden: {"request": {"method": "GET", **request(hidden)}})


@MANY
@given(SECRETS, st.sampled_from(["email", "ip_address", "username", "name"]))
def test_of_a_user_only_the_id_is_sent(secret: str, name: str) -> None:
    assert_hidden(secret, lambda hidden: {"user": {"id": "17", name: hidden}})


@MANY
@given(
    st.lists(
        st.sampled_from(
            [
                "token", "Cookie", "Bearer", "[parameters: ", FILTERED, "abc", "b", "1", "://", "@", "/", "?", "=", ":",
                " ", "\n", '"', "'", "\\", ")", "]", "&", ";", ",", "<", "-",
            ]
        ),
        max_size=16,
    ).map("".join)
)  # fmt: skip
def test_what_is_scrubbed_stays_as_it_is(text: str) -> None:
    assert scrub(scrub(text)) == scrub(text)


def test_what_is_not_sensitive_stays_as_it_was() -> None:
    assert scrub_event(copy.deepcopy(ORDINARY), {}) == ORDINARY


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False), st.lists))
def test_numbers_stay_as_they_were(value: Any) -> None:
    assert scrub({"pages": value}) == {"pages": value}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("postgresql://mangakai:hunter2@db:5432/mangakai", "postgresql://[Filtered]@db:5432/mangakai"),
        ("http://minio:9000/pages/@2x.png", "http://minio:9000/pages/@2x.png"),
        ("GET /a/b?c=d&e=f HTTP/1.1", "GET /a/b?[Filtered] HTTP/1.1"),
        ("either/or? Neither", "either/or? Neither"),
        ('password authentication failed for user "mangakai"', 'password authentication failed for user "mangakai"'),
        ("host=db password=hunter2 dbname=m", "host=db password=[Filtered] dbname=m"),
        ("sent Authorization: Bearer abc.def\nand got 401", "sent Authorization: [Filtered]\nand got 401"),
        ('{"password": "a\\"b", "pages": 3}', '{"password": "[Filtered]", "pages": 3}'),
        ('"{\\"token\\": \\"abc\\", \\"pages\\": 3}"', '"{\\"token\\": \\"[Filtered]\\", \\"pages\\": 3}"'),
        ("Key (token)=(abc) already exists.", "Key (token)=[Filtered] already exists."),
        (
            "no such table: users\n[SQL: SELECT 1 FROM users WHERE name = ?]\n[parameters: ('ann', 2)]\n(Background)",
            "no such table: users\n[SQL: SELECT 1 FROM users WHERE name = ?]\n[parameters: [Filtered]]\n(Background)",
        ),
    ],
)
def test_texts_stay_readable(text: str, left: str) -> None:
    assert scrub(text) == left


def test_a_transaction_is_scrubbed_like_an_error() -> None:
    transaction = {
        "type": "transaction",
        "transaction": "/api/manga",
        "request": {"url": "http://backend/api/manga", "cookies": {"a": "b"}, "query_string": "token=abc"},
        "spans": [{"op": "http.client", "data": {"url": "https://gemini/v1?key=abc", "http.query": "key=abc"}}],
    }
    assert scrub_event(transaction, {}) == {
        "type": "transaction",
        "transaction": "/api/manga",
        "request": {"url": "http://backend/api/manga", "headers": {}},
        "spans": [
            {"op": "http.client", "data": {"url": f"https://gemini/v1?{FILTERED}", "http.query": FILTERED}},
        ],
    }


@pytest.mark.parametrize(
    "part",
    [
        "/", "?", "a", "a-", "token", "token=", "token ", 'token="', "token\\", "://", "://:", "://a:", "@", "Bearer ",
        "cookie ", "cookie: ", "[parameters: ", "'", '"', "\\", " ", "/?",
    ],
)  # fmt: skip
def test_a_long_text_takes_no_time(part: str) -> None:
    # The shorter ones first: what takes the square or the cube of it would take hours for the longest.
    for length, seconds in ((2_000, 0.2), (20_000, 0.3), (200_000, 1)):
        text = part * (length // len(part))
        began = time.perf_counter()
        scrub(text)
        assert time.perf_counter() - began < seconds
