"""The removal of what must not leave the process: by its name, or by the form of the text that holds it."""

import functools
import re
from collections.abc import Mapping
from typing import Any

FILTERED = "[Filtered]"
_SECRETS = (
    r"(?:passw|pwd|passphrase|secret|token|credential|authorization|cookie|session[-_]?id|api[-_. ]?key"
    r"|private[-_. ]?key|csrf|xsrf|jwt|signature)"
)
_NAMES = re.compile(
    rf"{_SECRETS}|auth(?!or)|session|dsn|forwarded|real[-_. ]?ip|remote[-_. ]?addr|client[-_.](?:address|ip)"
    r"|peer[-_.](?:address|addr|ip)|^query_string$|(?:http|url)\.query",
    re.IGNORECASE,
)
# Each looks at a word once, and not again from its second letter: a text of any length takes a time in proportion.
_FORMS = (
    # The user and the password of a URL; the password may hold what a URL may not.
    (re.compile(r"://(?:[^\s/@:\"'?#]*:(?!\d+[/?#])[^\s\"']{0,200}|[^\s/\"'?#]*)@"), f"://{FILTERED}@"),
    # The query of a URL, of a path too.
    (re.compile(r"(?<![^\s?\"'<>])([^\s?\"'<>/]*+/[^\s?\"'<>]*+)\?[^\s\"'<>]+"), rf"\1?{FILTERED}"),
    # The values of a statement, which SQLAlchemy's errors show.
    (re.compile(r"(\[parameters: )[^\n]+"), rf"\1{FILTERED}]"),
    (re.compile(r"\b(Bearer|Basic|Digest)\s+[^\s\"',]+", re.IGNORECASE), rf"\1 {FILTERED}"),
    # These two hold spaces and semicolons.
    (re.compile(r"((?:authorization|cookie)\s*+[=:]\s*+)[^\"'\r\n]+", re.IGNORECASE), rf"\1{FILTERED}"),
    # key=value, "key": "value" and (key)=(value), in whatever text and however often quoted.
    (
        re.compile(
            rf"(?<![\w-])((?:(?!{_SECRETS})[\w-])*+{_SECRETS}[\w-]*+(?:\)=|[\\\"']*+\]?\s*+[=:])\s*+)"
            r"(?:b?(?P<quote>\\*[\"'])(?:(?!(?P=quote))(?:\\.|.))*+(?P=quote)?|[^\s\"'&;,]+)",
            re.IGNORECASE | re.DOTALL,
        ),
        rf"\1\g<quote>{FILTERED}\g<quote>",
    ),
)
# In which none of these forms is.
_WORD = re.compile(r"[\w.-]*")
_HEADERS = {"accept", "content-length", "content-type", "host", "user-agent", "x-request-id"}
_REQUEST = {"method", "url"}
_USER = {"id"}


def scrub(value: Any, name: str = "") -> Any:
    """Return a value without what is sensitive in it, at any depth.

    Args:
        value: of JSON's types.
        name: under which it is known.
    """
    if _is_sensitive(name):
        return FILTERED
    if isinstance(value, Mapping):
        return {key: scrub(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(scrub(inner) for inner in value)
    return _text(value) if isinstance(value, str) else value


def scrub_event(event: Any, _hint: Any) -> Any:
    """Return an event of Sentry, error or transaction, with no more of a request than who may know (D-130, D-131)."""
    if request := event.get("request"):
        headers = {key: text for key, text in dict(request.get("headers") or ()).items() if key.lower() in _HEADERS}
        event["request"] = {**{key: request[key] for key in _REQUEST & request.keys()}, "headers": headers}
    if user := event.get("user"):
        event["user"] = {key: user[key] for key in _USER & user.keys()}
    return scrub(event)


@functools.lru_cache(4096)
def _is_sensitive(name: str) -> bool:
    return _NAMES.search(name) is not None


def _text(text: str) -> str:
    if _WORD.fullmatch(text):
        return text
    for form, instead in _FORMS:
        text = form.sub(instead, text)
    return text
