"""How Filebeat joins lines (libbeat/reader/multiline), but for its timeout: nothing is silent here."""

import re
from typing import Any


def joined(lines: list[bytes], rule: dict[str, Any], max_bytes: int) -> list[bytes]:
    """Return the events of the lines by a rule of type pattern, matched on the later of two lines.

    An event that has all that it may have goes on until a line begins the next: what comes until then is cut off.
    """
    assert rule["match"] == "after"
    pattern = re.compile(rule["pattern"].encode(), re.ASCII)
    events: list[bytes] = []
    held = 0
    for line in lines:
        if not events or bool(pattern.search(line)) == rule["negate"]:
            events.append(b"")
            held = 0
        separator = b"\n" if events[-1] else b""
        space = max_bytes - len(events[-1] + separator)
        if space > 0 and held < rule.get("max_lines", 500):
            events[-1] += separator + line[:space]
            held += 1
    return events
