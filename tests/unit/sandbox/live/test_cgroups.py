"""Control groups, in folders that stand for what the kernel mounts."""

import os
from pathlib import Path

import pytest

from sandbox.live import cgroups


def test_version_1_gets_the_processors_and_memory_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hierarchies = [(tmp_path / name, False) for name in ("cpuset", "cpu", "memory")] + [(tmp_path / "unified", True)]
    for mount, _ in hierarchies:
        mount.mkdir()
    (tmp_path / "cpu" / "cpu.shares").write_text("1024")
    (tmp_path / "cpuset" / "cpuset.cpus").write_text("0-1")
    (tmp_path / "cpuset" / "cpuset.mems").write_text("0")
    monkeypatch.setattr(cgroups, "hierarchies", lambda: hierarchies)
    cgroups.create("mangakai")
    assert (tmp_path / "cpuset" / "mangakai" / "cpuset.cpus").read_text() == "0-1"
    assert (tmp_path / "cpuset" / "mangakai" / "cpuset.mems").read_text() == "0"
    assert (tmp_path / "cpu" / "mangakai" / "cpu.shares").read_text() == str(1024 * (os.cpu_count() or 1))
    assert all((mount / "mangakai").is_dir() for mount, _ in hierarchies)


def test_version_2_hands_its_controllers_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    (tmp_path / "cgroup.subtree_control").write_text("cpu\n")
    monkeypatch.setattr(cgroups, "hierarchies", lambda: [(tmp_path, True)])
    cgroups.create("mangakai")
    # The kernel adds what is missing; a plain file keeps the last.
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory"
    assert (tmp_path / "mangakai").is_dir()


def test_what_is_below_goes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "hierarchies", lambda: [(tmp_path, False)])
    (tmp_path / "mangakai" / "kubepods" / "burstable").mkdir(parents=True)
    (tmp_path / "others").mkdir()
    cgroups.remove("mangakai")
    assert [path.name for path in tmp_path.iterdir()] == ["others"]
