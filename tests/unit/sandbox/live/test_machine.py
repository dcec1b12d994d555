"""What a machine lacks for a live cluster, told before anything is built."""

import sys
from pathlib import Path

import pytest

from sandbox.live import machine


def test_another_system_is_one_sentence_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    (line,) = machine.check()
    assert "Linux" in line
    assert "docs/kind.md" in line


def test_a_user_that_is_not_root_is_one_sentence_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    (line,) = machine.check()
    assert "sudo make live" in line


def test_root_in_a_container_that_may_not_do_it_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(Path, "read_text", lambda _: "Name:\tpython\nCapEff:\t00000000a80425fb\n")
    (line,) = machine.check()
    assert "CAP_SYS_ADMIN" in line


@pytest.fixture
def _root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(machine, "_has_capabilities", lambda: True)


@pytest.mark.usefixtures("_root")
def test_all_missing_packages_are_one_line_that_installs_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(machine, "FILES", {tmp_path / "bridge": "containernetworking-plugins"})
    lines = [line for line in machine.check() if "apt-get" in line]
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
    said = "\n".join(machine.check())
    for what, (command, module) in machine.KERNEL.items():
        assert f"the kernel lacks {what}, tried by `{' '.join(command)}`; load it: modprobe {module}" in said
