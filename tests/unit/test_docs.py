"""The documentation names what there is, and nothing else."""

import re
from collections.abc import Iterator
from typing import get_args, get_origin

from pydantic import BaseModel

from components.settings import Settings, secrets
from components.settings.leaves import Resources
from tests.program import ROOT


def leaves(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[str]:
    for name, field in model.model_fields.items():
        key = (*path, field.alias or name)
        candidates = (field.annotation, *get_args(field.annotation))
        inner = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)
        if inner is None or inner is Resources:
            yield ".".join(key)
        else:
            yield from leaves(inner, (*key, "<alert>") if get_origin(field.annotation) is dict else key)


def test_every_setting_is_documented_and_no_other() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    documented = re.findall(r"^\| `([^`]+)` \|", text, flags=re.MULTILINE)
    assert documented == [*leaves(Settings), *secrets.PURPOSES]


def test_every_link_in_the_documentation_leads_somewhere() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())]
    assert len(links) >= 4
    assert [f"{page.name}: {link}" for page, link in links if not (page.parent / link).exists()] == []


def test_every_verb_is_in_the_readme() -> None:
    verbs = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    readme = (ROOT / "README.md").read_text()
    assert [verb for verb in verbs if f"make {verb}" not in readme] == []
