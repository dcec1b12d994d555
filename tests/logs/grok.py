"""Grok patterns of Logstash as OpenSearch's grok processor takes them.

Both expand them alike and run them by the same engine, Joni, with differences that are levelled here:

- Logstash's `.` matches a newline (`Regexp::MULTILINE` in jls-grok), OpenSearch's does not.
- Logstash brings the patterns of ecs-v1, OpenSearch older ones.
- Logstash names fields `[a][b]`; here each is captured under a short name, and a script puts it where it belongs as
  Logstash's grok filter does.
- `int` is of any size in Logstash, of 32 bits in OpenSearch.
"""

import functools
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import opensearch
from .pipeline_file import UnknownError

_REFERENCE = re.compile(r"%\{(?P<pattern>\w+)(?::(?P<field>[^}:]+)(?::(?P<type>\w+))?)?\}")
_TYPES = {"int": "long", "float": "double"}


@functools.cache
def patterns_of_logstash() -> Mapping[str, str]:
    """Return the patterns that the grok filter knows without definition."""
    [jar] = opensearch.jars().glob("elasticsearch-grok-*.jar")
    with zipfile.ZipFile(jar) as archive:
        lines = archive.read("patterns/ecs-v1/grok-patterns").decode().splitlines()
    return dict(line.split(" ", 1) for line in lines if line and not line.startswith("#"))


@dataclass
class Translation:
    """Patterns with what they refer to; `captures` maps the name of each capture to its field."""

    prefix: str
    definitions: dict[str, str] = field(default_factory=dict)
    captures: dict[str, str] = field(default_factory=dict)

    def whole(self, pattern: str) -> str:
        """Return a pattern that captures all that it matches, as `whole`, beside its own captures."""
        return f"(?<{self.prefix}.whole>(?m:{self._translated(pattern)}))"

    def define(self, known: Mapping[str, str], patterns: Iterable[str]) -> None:
        """Take over the definitions that these patterns refer to, directly or not."""
        for pattern in patterns:
            for reference in _REFERENCE.finditer(pattern):
                name = reference["pattern"]
                if name in self.definitions:
                    continue
                if name not in known:
                    raise UnknownError(f"grok pattern {name}")
                self.definitions[name] = self._translated(known[name])
                self.define(known, [known[name]])

    def _translated(self, pattern: str) -> str:
        return _REFERENCE.sub(self._reference, pattern)

    def _reference(self, reference: "re.Match[str]") -> str:
        if not reference["field"]:
            return reference[0]
        short = next((key for key, of in self.captures.items() if of == reference["field"]), "")
        short = short or f"c{len(self.captures)}"
        self.captures[short] = reference["field"]
        kind = f":{_TYPES[reference['type']]}" if reference["type"] else ""
        return f"%{{{reference['pattern']}:{self.prefix}.{short}{kind}}}"


def translate(prefix: str, patterns: list[str], definitions: dict[str, Any]) -> tuple[Translation, list[str]]:
    """Return the patterns for grok processors that capture below `prefix`, with their definitions and captures."""
    translation = Translation(prefix)
    known = {**patterns_of_logstash(), **definitions}
    translation.define(known, patterns)
    return translation, [translation.whole(pattern) for pattern in patterns]
