"""Which lines Filebeat joins to one event: those that by their look continue a traceback or a text (D-101)."""

from typing import Any

_NAME = r"""[^\s.:,;()\[\]{}"'=/]"""
_CONTINUES = [
    # What is indented, as most of a traceback and all of a group of exceptions; empty lines; the end of printed JSON.
    r"[ \t]",
    r"\r?$",
    r"[}\]]",
    # The head of a traceback, and what joins two.
    r"Traceback \(most recent call last\):",
    r"(?:During handling of the above exception|The above exception was the direct cause)",
    # Its end: an exception of Python's own, or of a module.
    rf"(?:{_NAME}+\.)*{_NAME}*(?:{_NAME}Error|Exception|Warning|Group|Exit|Interrupt|Iteration)(?:: |:?$)",
    rf"(?:{_NAME}+\.)+(?:[A-Z_]|[^\x00-\x7F]){_NAME}*(?:: |:?$)",
    # What PostgreSQL, SQLAlchemy and asyncio write into an exception or below an error; frames of loguru and rich.
    r"(?:DETAIL|HINT|CONTEXT|LINE \d+): ",
    r"\[(?:SQL|parameters): |\(Background on this error at: ",
    r"(?:future|task|handle|protocol|transport|source_traceback): ",
    r"> File |[╭│╰]",
]
# What an event may be at most: the rest of a longer one is cut off, and `log.flags` says so. A traceback of the
# thousand calls that Python allows fits, with its exception at the end.
MAX_LINES, MAX_BYTES = 10_000, 192 * 1024


def parser() -> dict[str, Any]:
    """Return the parser `multiline` of a filestream input.

    A line that continues nothing begins an event, so that no two lines of a program are glued together. A line of JSON
    is one event; of what continues below it, Logstash makes another.
    """
    return {
        "multiline": {
            "type": "pattern",
            "pattern": f"^(?:{'|'.join(_CONTINUES)})",
            "negate": False,
            "match": "after",
            "max_lines": MAX_LINES,
        }
    }
