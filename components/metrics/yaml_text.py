"""YAML by libyaml, which is ten times as fast as Python's own: each preview reads and writes all rules and jobs."""

from pathlib import Path
from typing import Any

import yaml

from ..foundation.names import APPLICATION

# A PyYAML that was built without libyaml has Python's own only.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(text: str) -> Any:
    """Return what a YAML document says."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506 either is a safe one


def load_folder(folder: Path, application_namespace: str) -> dict[str, Any]:
    """Return what the files of a folder say, by file name, with the application's namespace filled in."""
    paths = sorted(folder.glob("*.yml"))
    return {path.name: _filled(load(path.read_text()), application_namespace) for path in paths}


def dump(value: Any) -> str:
    """Return a YAML document, keys in their order, texts of several lines as they were written."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=120))


def _filled(value: Any, application_namespace: str) -> Any:
    """Return a value with the namespace in its texts: in the file's own text, `on` would be no name."""
    match value:
        case dict():
            return {key: _filled(one, application_namespace) for key, one in value.items()}
        case list():
            return [_filled(one, application_namespace) for one in value]
        case str():
            return value.replace(APPLICATION, application_namespace)
    return value


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes a text of several lines as a block."""


def _text(dumper: yaml.SafeDumper, text: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
