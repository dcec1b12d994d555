"""What a machine lacks for a live cluster, told before anything is built."""

import sys
from pathlib import Path

import pytest

from sandbox.live import machine
from tests.offline import ROOT

PLACE = ROOT / ".sandbox"


def test_another_system_is_one_sentence_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    (line,) = machine.check(PLACE)
    assert "Linux" in line
    assert "docs/kind.md" in line


def test_a_user_that_is_not_root_is_one_sentence_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    (line,) = machine.check(PLACE)
    assert "run the same as root" in line


def test_root_in_a_container_that_may_not_do_it_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(Path, "read_text", lambda _: "Name:\tpython\nCapEff:\t00000000a80425fb\n")
    (line,) = machine.check(PLACE)
    assert "CAP_SYS_ADMIN" in line


@pytest.fixture
def _root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(machine, "_has_capabilities", lambda: True)


@pytest.mark.usefixtures("_root")
def test_all_missing_packages_are_one_line_that_installs_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(machine, "FILES", {tmp_path / "bridge": "containernetworking-plugins"})
    lines = [line for line in machine.check(PLACE) if "apt-get" in line]
    assert len(lines) == 1
    packages = lines[0].partition("recommends ")[2].split()
    assert packages == sorted({*machine.PROGRAMS.values(), "containernetworking-plugins"})


@pytest.mark.usefixtures("_root")
def test_a_kernel_that_lacks_something_is_named_with_the_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in machine.PROGRAMS:
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    said = "\n".join(machine.check(PLACE))
    for what, (command, module) in machine.KERNEL.items():
        assert f"the kernel lacks {what}, tried by `{' '.join(command)}`; load it: modprobe {module}" in said


@pytest.mark.usefixtures("_root")
@pytest.mark.parametrize("folder", machine.HIDDEN)
def test_a_checkout_below_what_the_node_mounts_anew_is_refused(folder: str) -> None:
    lines = machine.check(Path(folder, "checkout", ".sandbox"))
    assert f"the checkout lies below {folder}, which the node mounts anew: move it elsewhere" in lines


@pytest.mark.usefixtures("_root")
def test_a_checkout_on_an_overlay_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    monkeypatch.setattr(machine, "MOUNTS", mounts)
    disk, overlay = (
        "/dev/vda / ext4 rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n",
        f"overlay {ROOT} overlay rw 0 0\n",
    )
    said = []
    for text in (disk, disk + overlay):
        mounts.write_text(text)
        said.append([line for line in machine.check(PLACE) if " is an overlay" in line])
    assert [len(lines) for lines in said] == [0, 1]
    assert said[1][0].startswith(f"{ROOT} is an overlay")


def test_a_disk_that_is_too_full_is_named_with_how_much_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert machine.room(tmp_path / "not" / "yet") == []
    monkeypatch.setattr(machine, "DISK", 10**15)
    (line,) = machine.room(tmp_path / "not" / "yet")
    assert line.endswith(f" free in {tmp_path}, a live cluster takes 1000000.0 GB; free some, or move the checkout")
