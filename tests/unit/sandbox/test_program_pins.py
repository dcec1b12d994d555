"""The table of the sandbox's programs, what is taken out of their modules, and the preflight."""

import hashlib
import os
import shutil
import socket
import stat
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from operations.cache import cache
from sandbox import artifacts, build, preflight, program_pins
from sandbox.program_pins import PROGRAMS, Group, Module


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANGAKAI_CACHE", str(tmp_path / "cache"))


def executable(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


def test_each_program_is_a_tool_of_its_module() -> None:
    for program in PROGRAMS:
        if program.package.startswith("./"):
            assert (program.module.folder / program.package / "main.go").exists(), program.name
        else:
            assert program.package in (program.module.folder / "go.mod").read_text(), program.name
        assert (program.module.folder / "go.sum").stat().st_size, program.name


def test_each_version_is_the_one_that_its_module_pins() -> None:
    # Prometheus 3.14.0 is the Go module v0.314.0; the provider's commit has no version of its own.
    named_otherwise = {"prometheus": "v0.314.0", "promtool": "v0.314.0", "pulumi-resource-kubernetes": "v4.0.0-"}
    ours = {"pause", "logstash", "filebeat"}
    for program in PROGRAMS:
        if program.name in ours:
            continue
        pin = named_otherwise.get(program.name, f"v{program.version}")
        assert f" {pin}" in (program.module.folder / "go.mod").read_text(), program.name


def test_names_and_paths_are_unique() -> None:
    assert len({program.name for program in PROGRAMS}) == len(PROGRAMS)
    assert len({program.path for program in PROGRAMS}) == len(PROGRAMS)


def test_a_path_changes_with_go_mod_and_flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_pins, "MODULES", tmp_path)
    module = Module("m")
    module.folder.mkdir()
    (module.folder / "go.mod").write_text("module a\n")
    before = module.key()
    assert Module("m").key() == before
    assert replace(module, ldflags="-X a.b=c").key() != before
    assert replace(module, tags="t").key() != before
    (module.folder / "go.mod").write_text("module b\n")
    assert module.key() != before


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"MANGAKAI_CACHE": "/a"}, "/a"),
        ({"MANGAKAI_CACHE": "", "XDG_CACHE_HOME": "/b"}, "/b/mangakai-monitoring"),
        ({"MANGAKAI_CACHE": "", "XDG_CACHE_HOME": "", "HOME": "/c"}, "/c/.cache/mangakai-monitoring"),
    ],
)
def test_cache(variables: Mapping[str, str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache() == Path(expected)


@pytest.mark.parametrize(
    ("version", "host", "taken"),
    [("v3.244.0", True, True), ("v3.243.9", True, False), ("v2.900.0", True, False), ("v3.274.1", False, False)],
)
def test_an_installed_pulumi(
    version: str, host: bool, taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulumi = executable(tmp_path / "bin", "pulumi", f"echo {version}")
    if host:
        executable(tmp_path / "bin", "pulumi-language-python", "")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    assert program_pins.find_pulumi() == (pulumi if taken else None)
    assert (program_pins.PULUMI in program_pins.of_groups(Group.ENGINE)) is not taken


def test_a_chart_is_packed_the_same_each_time(tmp_path: Path) -> None:
    digests = set()
    for attempt, names in enumerate((["values.yaml", "Chart.yaml"], ["Chart.yaml", "values.yaml"])):
        chart = tmp_path / str(attempt) / "app"
        for name in [*names, "charts/crds/Chart.yaml", "templates/a.yaml", "templates/tests/a_test.yaml"]:
            (chart / name).parent.mkdir(parents=True, exist_ok=True)
            (chart / name).write_text(name)
            os.utime(chart / name, (attempt, attempt))
            (chart / name).chmod(0o600 + attempt * 0o44)
        archive = tmp_path / f"{attempt}.tgz"
        artifacts.pack_chart(chart, archive)
        digests.add(hashlib.sha256(archive.read_bytes()).hexdigest())
    assert len(digests) == 1
    with tarfile.open(archive) as packed:
        names = packed.getnames()
    assert names == ["app/Chart.yaml", "app/charts/crds/Chart.yaml", "app/templates/a.yaml", "app/values.yaml"]


def test_a_program_without_its_artifacts_is_not_there() -> None:
    program = program_pins.JAEGER_OPERATOR
    program.path.parent.mkdir(parents=True)
    program.path.touch()
    assert build.missing([program]) == [program]
    artifacts.JAEGER_CRD.path.parent.mkdir(parents=True)
    artifacts.JAEGER_CRD.path.touch()
    assert build.missing([program]) == []


def test_a_failed_build_says_why_and_keeps_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = "; ".join(f"echo compiler says {line} >&2; echo a/package >&2" for line in range(30))
    executable(tmp_path / "bin", "go", f'[ "$1" = list ] || {{ {lines}; exit 2; }}')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    monkeypatch.setattr("sys.argv", ["build", "cluster"])
    assert build.main() == 1
    said = capsys.readouterr().err
    assert "compiler says 29" in said
    assert "compiler says 10\n" in said
    assert "compiler says 9\n" not in said
    assert "a/package" not in said
    assert "Traceback" not in said
    log = Path(said.split("All that it said: ")[1].split("\n")[0])
    assert "compiler says 0" in log.read_text()


def test_preflight_names_a_port_and_its_user() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert preflight.check({"etcd": port}, need_build=False) == [
            f"port {port}, meant for etcd, is taken; see by whom: lsof -nP -iTCP:{port} -sTCP:LISTEN"
        ]
    assert preflight.check({"etcd": port}, need_build=False) == []


def test_preflight_names_all_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(preflight, "BUILD_DISK", shutil.disk_usage(tmp_path).total * 2)
    go, disk, memory = preflight.check({}, need_build=True, memory=10**15)
    assert go.startswith("go is not on PATH, at least 1.")
    assert "install it: curl" in go
    assert f"free in {tmp_path}" in disk
    assert "MANGAKAI_CACHE" in disk
    assert memory.endswith("at least 1000000.0 GB is needed; use a larger machine")


@pytest.mark.parametrize(("says", "found"), [("go1.22.1", "1.22.1"), ("", "broken"), ("go1.99", None)])
def test_preflight_and_the_version_of_go(
    says: str, found: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executable(tmp_path / "bin", "go", f"echo {says}")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    monkeypatch.setattr(preflight, "BUILD_DISK", 0)
    missing = preflight.check({}, need_build=True)
    assert len(missing) == (found is not None)
    assert found is None or missing[0].startswith(f"go is {found}, at least 1.")
