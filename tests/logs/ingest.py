"""The filters of a Logstash pipeline file as one ingest pipeline, so that a real engine runs what stands in the file.

Grok patterns and date formats go to OpenSearch's processors `grok` and `date`; what is left, which field goes where,
to scripts that do it as the sources of Logstash's filters do (`functions.painless`). No processor fails a document:
where a filter of Logstash throws, the event is tagged and goes on. Levelled, beside what `grok.py` lists:

- A branch is chosen by its condition before anything in it is run; the choice is kept in `translation`, a field that
  the last processor removes.
- Field names with dots, `[line][log.level]`, are keys to Logstash, and paths to OpenSearch: scripts use the keys.
- Grok skips empty captures, and adds to a field that is there unless `overwrite` names it.
- In one `mutate`, the order is Logstash's and not the file's; `remove_field` and the like come last, and are left out
  if the filter did not match.
- ISO8601 has a space for the T, and a comma for the point, in Logstash only. UNIX ends with 2^31 seconds there, and is
  the only format there that takes numbers. `Z` of Joda is also `+00:00` and `Z`.
- JSON with something after it is none to Logstash; OpenSearch would take the first value.

Not levelled, so unproven: JSON with a key twice (Logstash takes the last, here it is unparsed) or with two values in
one line (Logstash takes the last); digits that Joda lets one leave out (`2026-1-31`); regular expressions of conditions
and `gsub`, which Java runs here.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import grok
from .pipeline_file import Branch, Condition, Field, Statement, UnknownError, filters
from .pipeline_file import field as parsed

FUNCTIONS = (Path(__file__).parent / "functions.painless").read_text()
CASUAL_ISO8601 = [f"yyyy-MM-dd HH:mm:ss{point}SSS{zone}" for point in (".", ",") for zone in ("Z", "")]
COMMON = {"add_field", "remove_field", "add_tag", "remove_tag"}
SPLIT = "split"
Processor = dict[str, Any]


def pipelines(text: str) -> list[dict[str, Any]]:
    """Return the ingest pipelines of a pipeline file, one after the other: between two, `SPLIT` of an event is many.

    Raises:
        UnknownError: it has a plugin or an option that is not translated, so nothing is left out in silence.

    """
    found: list[dict[str, Any]] = []
    rest = filters(text)
    while rest or not found:
        translator = Translator()
        translator.script("ctx.translation = new HashMap();")
        while rest and not translator.ended:
            translator.statements([rest.pop(0)])
        translator.script("ctx.remove('translation');")
        found.append({"processors": translator.processors})
    return found


@dataclass
class Translator:
    """Processors so far, the condition under which the next ones run, and whether another pipeline goes on."""

    processors: list[Processor] = field(default_factory=list)
    guard: str = ""
    ended: bool = False

    def statements(self, statements: list[Statement]) -> None:
        for statement in statements:
            if self.ended:
                raise UnknownError(f"{statement} after split")
            if isinstance(statement, Branch):
                self._branch(statement)
            else:
                known = PLUGINS.get(statement.name)
                if known is None:
                    raise UnknownError(f"plugin {statement.name}")
                known(self, statement.options)

    def script(self, source: str) -> None:
        self._add("script", {"source": f"{FUNCTIONS}\n{source}"})

    def flag(self) -> str:
        """Return a place in `translation` that nothing else uses."""
        return f"n{len(self.processors)}"

    def _add(self, kind: str, options: dict[str, Any], condition: str = "") -> None:
        conditions = [each for each in (self.guard, condition) if each]
        when = {"if": " && ".join(conditions)} if conditions else {}
        self.processors.append({kind: {**options, **when}})

    def _branch(self, branch: Branch) -> None:
        flag, guard = self.flag(), self.guard
        choices = [
            f"{_expression(condition) if condition else 'true'} ? {number}"
            for number, (condition, _) in enumerate(branch.ways)
        ]
        self.script(f"ctx.translation.{flag} = {' : '.join(choices)} : -1;")
        for number, (_, statements) in enumerate(branch.ways):
            self.guard = f"ctx.translation.{flag} == {number}"
            self.statements(statements)
        self.guard = guard

    def grok(self, options: dict[str, Any]) -> None:
        _only(options, {"match", "pattern_definitions", "overwrite", "tag_on_failure"})
        flag = self.flag()
        if len(options["match"]) != 1:
            raise UnknownError("grok of more than one field")
        [(source, patterns)] = options["match"].items()
        definitions = options.get("pattern_definitions", {})
        translation, patterns = grok.translate(f"translation.{flag}.captures", _list(patterns), definitions)
        self.script(f"ctx.translation.{flag} = ['input': text(get(ctx, {_path(source)}))];")
        for pattern in patterns:
            each = {
                "field": f"translation.{flag}.input",
                "patterns": [pattern],
                "pattern_definitions": translation.definitions,
                "ignore_failure": True,
            }
            self._add("grok", each, f"ctx.translation.{flag}.captures == null")
        fields = ", ".join(f"{_text(short)}: {_path(of)}" for short, of in translation.captures.items()) or ":"
        overwrite = ", ".join(_path(each) for each in _list(options.get("overwrite", [])))
        tags = _literal(_list(options.get("tag_on_failure", ["_grokparsefailure"])))
        self.script(f"capture(ctx, ctx.translation.{flag}.captures, [{fields}], [{overwrite}], {tags});")

    def json(self, options: dict[str, Any]) -> None:
        _only(options, {"source", "target", "tag_on_failure"} | COMMON)
        at = f"translation.{self.flag()}"
        source = f"get(ctx, {_path(options['source'])})"
        # With brackets around it, what stands behind the first value is an error.
        self.script(f"ctx.{at} = ['input': {source} == null ? null : '[' + text({source}) + ']'];")
        reading = {"field": f"{at}.input", "target_field": f"{at}.values", "ignore_failure": True}
        self._add("json", reading, f"ctx.{at}.input != null")
        tags = _literal(_list(options.get("tag_on_failure", ["_jsonparsefailure"])))
        decoded, common = f"decoded(ctx, ctx.{at}, {_path(options['target'])}, {tags})", _common(options)
        self.script(f"if ({decoded}) {{ {common} }}" if common else f"{decoded};")

    def mutate(self, options: dict[str, Any]) -> None:
        _only(options, {"rename", "replace", "gsub", "uppercase", "merge", "copy"} | COMMON)
        steps = [f"rename(ctx, {_path(old)}, {_path(new)});" for old, new in options.get("rename", {}).items()]
        steps += [f"put(ctx, {_path(to)}, {_template(value)});" for to, value in options.get("replace", {}).items()]
        gsub = options.get("gsub", [])
        for of, needle, replacement in zip(gsub[::3], gsub[1::3], gsub[2::3], strict=True):
            if "\\" in replacement or "%{" in needle + replacement:
                raise UnknownError(f"gsub with {needle} and {replacement}")
            steps.append(f"gsub(ctx, {_path(of)}, {_regex(needle)}, {_text(replacement)});")
        steps += [f"uppercase(ctx, {_path(of)});" for of in _list(options.get("uppercase", []))]
        steps += [f"merge(ctx, {_path(to)}, {_path(of)});" for to, of in options.get("merge", {}).items()]
        steps += [f"copy(ctx, {_path(old)}, {_path(new)});" for old, new in options.get("copy", {}).items()]
        if body := " ".join([*steps, _common(options)]).strip():
            self.script(f"try {{ {body} }} catch (Exception error) {{ tag(ctx, ['_mutate_error']); }}")

    def split(self, options: dict[str, Any]) -> None:
        _only(options, {"field", "target"})
        at = f"ctx.{SPLIT} = ['target': {_path(options['target'])}, 'values': get(ctx, {_path(options['field'])})];"
        self.script(at)
        self.ended = True

    def date(self, options: dict[str, Any]) -> None:
        _only(options, {"match", "timezone", "locale", "target", "tag_on_failure"} | COMMON)
        source, *formats = options["match"]
        flag = self.flag()
        at = f"translation.{flag}"
        self.script(f"ctx.{at} = dated(get(ctx, {_path(source)}));")
        texts = [java for each in formats if each != "UNIX" for java in _java_formats(each)]
        for kind, of_kind in {"text": texts, "number": ["UNIX"] if "UNIX" in formats else []}.items():
            if of_kind:
                each = {
                    "field": f"{at}.text",
                    "target_field": f"{at}.parsed",
                    "formats": of_kind,
                    # Given as `UTC`, OpenSearch takes it for the zone of a time that has one of its own, too.
                    "timezone": options["timezone"].replace("UTC", "Z"),
                    "locale": options["locale"],
                    "ignore_failure": True,
                }
                self._add("date", each, f"ctx.{at}.kind == '{kind}'")
        target = _path(options.get("target", "@timestamp"))
        tags = _literal(_list(options.get("tag_on_failure", ["_dateparsefailure"])))
        self.script(
            f"if (ctx.{at}.parsed != null) {{ put(ctx, {target}, ctx.{at}.parsed); {_common(options)} }} "
            f"else if (ctx.{at}.kind != 'none') {{ tag(ctx, {tags}); }}"
        )


PLUGINS: dict[str, Callable[[Translator, dict[str, Any]], None]] = {
    "grok": Translator.grok,
    "json": Translator.json,
    "mutate": Translator.mutate,
    "split": Translator.split,
    "date": Translator.date,
}


def _only(options: dict[str, Any], known: set[str]) -> None:
    if unknown := options.keys() - known:
        raise UnknownError(f"options {', '.join(sorted(unknown))}")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _common(options: dict[str, Any]) -> str:
    """Return what every filter does after it has matched."""
    steps = [f"add(ctx, {_path(to)}, {_template(value)});" for to, value in options.get("add_field", {}).items()]
    steps += [f"take(ctx, {_path(of)});" for of in _list(options.get("remove_field", []))]
    if tags := _list(options.get("add_tag", [])):
        steps.append(f"tag(ctx, {_literal(tags)});")
    if tags := _list(options.get("remove_tag", [])):
        steps.append(f"if (ctx.tags != null) {{ ctx.tags.removeAll({_literal(tags)}); }}")
    return " ".join(steps)


def _java_formats(joda: str) -> list[str]:
    """Return the formats of java.time for one of Logstash's."""
    if joda == "ISO8601":
        return ["ISO8601", *(each for casual in CASUAL_ISO8601 for each in _java_formats(casual))]
    if letters := set(re.sub(r"'[^']*'|[^A-Za-z]", "", joda)) - set("yMdHmsSEZ"):
        raise UnknownError(f"date format {joda}: {', '.join(sorted(letters))}")
    return [joda.replace("Z", zone) for zone in ("XX", "XXX")] if "Z" in joda else [joda]


def _expression(condition: Condition) -> str:
    """Return a condition in Painless."""
    match condition:
        case Condition("truthy", (Field() as of,)):
            return f"truthy({_operand(of)})"
        case Condition("!", (Condition() as inner,)):
            return f"({_expression(inner)} == false)"
        case Condition(("and" | "or") as operator, parts):
            joined = {"and": " && ", "or": " || "}[operator].join(map(_expression, parts))
            return f"({joined})"
        case Condition(("==" | "!=") as operator, (left, right)):
            return f"({_operand(left)} {operator} {_operand(right)})"
        case Condition(">", (Field() as left, Field() as right)):
            return f"later({_operand(left)}, {_operand(right)})"
        case Condition("in", (left, right)):
            return f"contains({_operand(right)}, {_operand(left)})"
        case Condition(("=~" | "!~") as operator, (left, regex)):
            value = _operand(left)
            matches = f"({value} instanceof String && {_regex(regex)}.matcher((String) {value}).find())"
            return matches if operator == "=~" else f"({matches} == false)"
    raise UnknownError(f"condition {condition}")


def _operand(value: Any) -> str:
    return f"get(ctx, {_literal(value.path)})" if isinstance(value, Field) else _literal(value)


def _path(reference: str) -> str:
    return _literal(parsed(reference).path)


def _template(template: str) -> str:
    """Return a text with fields in it, `%{[a][b]}`."""
    parts = []
    for position, part in enumerate(re.split(r"(%\{[^}]+\})", template)):
        if position % 2 == 0:
            parts.append(_text(part))
        elif part.startswith("%{+"):
            raise UnknownError(f"date in {template}")
        else:
            parts.append(f"text(ctx, {_path(part[2:-1])}, {_text(part)})")
    return " + ".join(parts)


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_literal, value))}]"
    return str(value).lower()


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _regex(pattern: str) -> str:
    """Return a regular expression of Ruby, whose ^ and $ are always those of a line."""
    escaped = pattern.replace("/", "\\/")
    return f"/{escaped}/m"
