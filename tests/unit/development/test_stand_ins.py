"""The sandbox's stand-ins for official charts: how they are packed, and which values they take."""

import copy
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.foundation.chart_pins import PINS, archive
from development.charts_check import STACKS, Release, objects_of, releases_of
from operations.manifest_diff import fields, read
from sandbox import artifacts, stand_ins
from sandbox.build import BuildError
from sandbox.program_pins import HELM, KUBE_APISERVER

STAND_INS = ("prometheus", "alertmanager", "grafana", "jaeger-operator")


@pytest.fixture(scope="module")
def releases() -> list[Release]:
    """Return the Releases of every stack whose charts have stand-ins."""
    return [one for one in releases_of(STACKS) if one.chart in STAND_INS]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a cache that holds what the sandbox takes from the operators' modules, in name."""
    monkeypatch.setenv("MANGAKAI_CACHE", str(tmp_path / "cache"))
    for artifact in (*artifacts.CHARTS, artifacts.JAEGER_CRD):
        artifact.path.parent.mkdir(parents=True, exist_ok=True)
        artifact.path.write_text(artifact.kept_as)
    return tmp_path / "cache"


@pytest.mark.usefixtures("cache")
def test_packing_is_repeatable_and_touches_nothing_that_is_right(tmp_path: Path) -> None:
    target, elsewhere = tmp_path / "charts", tmp_path / "elsewhere"
    stand_ins.pack(target)
    assert {file.name for file in target.iterdir()} == {archive("", chart).name for chart in PINS}
    before = {file.name: file.stat().st_ino for file in target.iterdir()}
    archive(str(target), "grafana").write_text("damaged")
    stand_ins.pack(target)
    stand_ins.pack(elsewhere)
    after = {file.name: file.stat().st_ino for file in target.iterdir()}
    assert {name for name in after if after[name] != before[name]} == {"grafana-12.11.1.tgz"}
    for file in target.iterdir():
        assert file.read_bytes() == (elsewhere / file.name).read_bytes(), file.name


def test_packing_says_what_the_cache_lacks(cache: Path, tmp_path: Path) -> None:
    shutil.rmtree(cache / "crds")
    with pytest.raises(BuildError, match=r"jaegers\.yaml\. Run: python -m sandbox\.build cluster"):
        stand_ins.pack(tmp_path / "charts")


def test_stand_ins_are_at_the_pinned_versions() -> None:
    for chart in STAND_INS:
        about = yaml.safe_load((stand_ins.STAND_INS / chart / "Chart.yaml").read_text())
        assert (about["name"], about["version"]) == (chart, f"{PINS[chart].version}+sandbox")


def test_every_object_of_a_schema_is_closed_or_an_open_one_of_kubernetes() -> None:
    def walk(schema: Any) -> None:
        if isinstance(schema, dict):
            if "properties" in schema:
                assert schema["additionalProperties"] is False, schema
            for inner in schema.values():
                walk(inner)

    for chart in STAND_INS:
        walk(json.loads((stand_ins.STAND_INS / chart / "values.schema.json").read_text()))


def helm_template(release: Release, values: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    chart = str(stand_ins.STAND_INS / release.chart)
    arguments = ["template", release.name, chart, "--kube-version", KUBE_APISERVER.version, "--values", "-"]
    return subprocess.run(
        [HELM.path, *arguments], input=json.dumps(values), capture_output=True, text=True, check=False
    )


@pytest.mark.built
def test_stand_ins_take_the_values_of_every_stack_and_refuse_others(releases: list[Release]) -> None:
    assert {one.chart for one in releases} == set(STAND_INS)
    for release in releases:
        rendered = helm_template(release, release.values)
        assert rendered.returncode == 0, rendered.stderr
        assert read(rendered.stdout)
        unknown = helm_template(release, {**release.values, "unheardOf": 1})
        assert unknown.returncode != 0
        assert "unheardOf" in unknown.stderr


def paths(schema: dict[str, Any], root: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of each value that a schema takes."""
    schema = root["definitions"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if "properties" not in schema:
        yield path
    for key, inner in schema.get("properties", {}).items():
        yield from paths(inner, root, (*path, key))


def has(values: Any, path: tuple[str, ...]) -> bool:
    return not path or (path[0] in values and has(values[path[0]], path[1:]))


def test_a_stand_in_takes_no_value_that_the_program_never_sets(releases: list[Release]) -> None:
    for chart in STAND_INS:
        schema = json.loads((stand_ins.STAND_INS / chart / "values.schema.json").read_text())
        values = [one.values for one in releases if one.chart == chart]
        unused = [".".join(path) for path in paths(schema, schema) if not any(has(one, path) for one in values)]
        assert unused == [], f"{chart}: take these away, or give them a stack that sets them"


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield each value of an object that holds no other, with its path."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*path, key))
    else:
        yield path, value


def with_another(value: Any, path: tuple[str | int, ...]) -> Any:
    """Return an object with another value at a path."""
    if not path:
        return not value if isinstance(value, bool) else f"{value}0" if isinstance(value, str) else value + 1
    key, *rest = path
    new = copy.copy(value)
    new[key] = with_another(value[key], tuple(rest))
    return new


@pytest.mark.built
def test_every_value_of_every_object_of_the_stand_ins_counts(releases: list[Release]) -> None:
    count = 0
    for release in (one for one in releases if one.stack != "local"):
        for name, manifest in objects_of(release, stand_ins.STAND_INS / release.chart).items():
            for path, value in leaves(manifest):
                changes = fields(manifest, with_another(manifest, path))
                assert list(changes), f"{name}: {path} may be anything instead of {value!r}"
                count += 1
    print(f"{count} values changed, each seen")
