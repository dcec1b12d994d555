"""What the node says where it cannot run: what is missing, and what installs it."""

from pathlib import Path

import pytest

from . import opensearch
from .opensearch import OpenSearchError


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Be on a machine without programs and with an empty cache."""
    for name in ("PATH", "MANGAKAI_CACHE", "JAVA_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(opensearch, "FOLDERS_OF_JDKS", [(tmp_path, "jdk-*")])
    return tmp_path


@pytest.mark.usefixtures("bare")
def test_without_maven_it_names_maven() -> None:
    with pytest.raises(OpenSearchError, match=r"mvn.* is not on PATH: apt-get install maven"):
        opensearch.fetch()


def test_a_java_that_is_too_old_is_named_with_the_one_that_is_needed(bare: Path) -> None:
    for name, text in {"java": '#!/bin/sh\necho openjdk version \\"17.0.1\\" >&2', "javac": ""}.items():
        program = bare / "jdk-17" / "bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(text)
        program.chmod(0o755)
    with pytest.raises(OpenSearchError, match=r"a JDK of 21 or newer, found: 17 in .*/jdk-17. Install one"):
        opensearch.java()


@pytest.mark.usefixtures("bare")
def test_what_it_fetched_once_it_does_not_fetch_again() -> None:
    opensearch.jars().mkdir(parents=True)
    opensearch.fetch()
