"""The package as what it is: something that is built, installed and loaded without this repository."""

import ast
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.offline import ROOT

PROJECT = ROOT / "instrumentation"


@pytest.mark.requirement("S-091", "S-095", "S-098", "S-110")
def test_a_wheel_holds_the_package_its_types_and_what_it_needs(tmp_path: Path) -> None:
    command = ["uv", "build", "--wheel", "--no-build-isolation", "--offline", "--out-dir", str(tmp_path), str(PROJECT)]
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = archive.read("mangakai_instrumentation-0.1.0.dist-info/METADATA").decode()
    modules = {f"mangakai_instrumentation/{path.name}" for path in (PROJECT / "mangakai_instrumentation").glob("*.py")}
    assert modules | {"mangakai_instrumentation/py.typed"} <= names
    assert "Requires-Dist: fastapi>=" in metadata


def test_it_loads_nothing_that_it_does_not_ask_for() -> None:
    """D-115, D-116. What its pyproject.toml names."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    described = [*project["dependencies"], *project["optional-dependencies"]["gunicorn"]]
    asked = {line.split(">")[0].split("[")[0] for line in described}
    loaded = set()
    for path in (PROJECT / "mangakai_instrumentation").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                loaded |= {name.name for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                loaded.add(node.module)
    tops = {name.split(".")[0] for name in loaded} - sys.stdlib_module_names - {"opentelemetry"}
    names = {top.replace("_", "-") for top in tops}
    assert names <= asked, f"not asked for: {names - asked}"
    assert not asked & {"jaeger-client", "opentracing"}
    instrumented = {name.split(".")[2] for name in loaded if name.startswith("opentelemetry.instrumentation.")} - {
        "utils"
    }
    assert {f"opentelemetry-instrumentation-{name}" for name in instrumented} <= asked
