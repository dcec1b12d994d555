"""YAML by libyaml, which is ten times as fast as Python's own: each preview reads and writes all rules and jobs."""

from typing import Any

import yaml

# A PyYAML that was built without libyaml has Python's own only.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(text: str) -> Any:
    """Return what a YAML document says."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506 either is a safe one


def dump(value: Any) -> str:
    """Return a YAML document, keys in their order, texts of several lines as they were written."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=120))


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes a text of several lines as a block."""


def _text(dumper: yaml.SafeDumper, text: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
