"""The JDK and the folders of which an image of Java is made."""

from pathlib import Path

import pytest

from sandbox.images import java
from sandbox.processes import SandboxError


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANGAKAI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("JAVA_HOME", *(f"JAVA_HOME_{java.MINIMUM_JAVA}{suffix}" for suffix in ("", "_X64", "_ARM64"))):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(java, "JDKS", tmp_path / "jvm")


def jdk(home: Path, version: str) -> Path:
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "jlink").touch()
    (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return home


def test_one_that_is_new_enough_is_found_among_others(tmp_path: Path) -> None:
    jdk(tmp_path / "jvm" / "java-8", "1.8.0_392")
    jdk(tmp_path / "jvm" / "java-21", "21.0.2")
    new = jdk(tmp_path / "jvm" / "java-25", "25.0.3")
    (tmp_path / "jvm" / "java-99" / "bin").mkdir(parents=True)  # a runtime without jlink
    assert java.jdk() == new


def test_without_one_those_that_are_there_are_named_with_the_remedy(tmp_path: Path) -> None:
    old = jdk(tmp_path / "jvm" / "java-21", "21.0.2")
    with pytest.raises(SandboxError, match=rf"found: 21 in {old}\. Install one \(apt-get install openjdk-25"):
        java.jdk()


def test_a_folder_that_was_not_finished_is_made_again_and_one_of_before_goes() -> None:
    def fail(work: Path) -> Path:
        (work / "half").touch()
        raise KeyboardInterrupt

    def make(work: Path) -> Path:
        (work / "made").mkdir()
        (work / "made" / "whole").touch()
        return work / "made"

    with pytest.raises(KeyboardInterrupt):
        java._kept("jars", "1", fail)
    first = java._kept("jars", "1", make)
    assert [file.name for file in first.iterdir()] == ["whole"]
    assert java._kept("jars", "1", fail) == first
    second = java._kept("jars", "2", make)
    assert [folder.name for folder in first.parent.iterdir()] == [second.name]
