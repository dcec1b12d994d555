"""The guide's requirements: what each asks for, where it is met, and which tests prove it."""

import ast
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from .pages import ROOT, DocsError, table

COUNT = 139
MARKER = "pytest.mark.requirement"

Rows = Mapping[str, Mapping[str, Any]]
Proofs = Mapping[str, list[str]]


def rows() -> dict[str, dict[str, Any]]:
    """Return the requirements by id."""
    found: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docs" / "requirements.yml").read_text())
    return found


def marked(file: Path) -> Iterator[tuple[str, str]]:
    """Return the name of each marked test of a file, with its class, and the id of each row that it proves."""
    tree = ast.parse(file.read_text())
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    for owner, body in [("", tree.body), *((f"{each.name}::", each.body) for each in classes)]:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for call in node.decorator_list:
                    if isinstance(call, ast.Call) and ast.unparse(call.func) == MARKER:
                        yield from ((f"{owner}{node.name}", ast.literal_eval(id_)) for id_ in call.args)


def proofs(folder: Path = ROOT / "tests") -> dict[str, list[str]]:
    """Return the marked tests by the id of the row that they prove."""
    found = defaultdict(list)
    for file in sorted(folder.rglob("test_*.py")):
        for name, id_ in marked(file):
            found[id_].append(f"{file.relative_to(folder).as_posix()}::{name}")
    return found


def problems(requirements: Rows, proven: Proofs) -> list[str]:
    """Return what is wrong with the rows and the markers."""
    found = [f"{id_}: there is no such row" for id_ in sorted({*proven} - {*requirements})]
    expected = [f"S-{number:03}" for number in range(1, COUNT + 1)]
    if list(requirements) != expected:
        found.append(f"the rows are not {expected[0]} to {expected[-1]}, in order")
    # What `make test` runs: a marked test elsewhere would prove nothing.
    run = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["testpaths"]
    for id_, row in requirements.items():
        found += [f"{id_}: there is no {path}" for path in row["met"] if not (ROOT / path).exists()]
        if unknown := row.keys() - {"what", "met", "reason"}:
            found.append(f"{id_}: unknown keys: {', '.join(sorted(unknown))}")
        tests = proven.get(id_, [])
        if not tests and not row.get("reason"):
            found.append(f"{id_}: neither a test with its marker nor a reason")
        found += [
            f"{id_}: `make test` does not run {test}"
            for test in tests
            if not any(f"tests/{test}".startswith(f"{path}/") for path in run)
        ]
    return found


def render(_: str) -> str:
    """Return the table.

    Raises:
        DocsError: naming each row that is neither proven nor explained, and each marker of no row.
    """
    requirements, proven = rows(), proofs()
    if wrong := problems(requirements, proven):
        raise DocsError("; ".join(wrong))
    lines = [
        (
            id_,
            row["what"],
            ", ".join(f"[{path}](../{path})" for path in row["met"]),
            "<br>".join(f"`{test}`" for test in proven.get(id_, [])) or "none",
            row.get("reason", ""),
        )
        for id_, row in requirements.items()
    ]
    tests = {test for each in proven.values() for test in each}
    unproven = [id_ for id_ in requirements if not proven.get(id_)]
    summary = f"{len(lines)} rows; {len(lines) - len(unproven)} are proven, by {len(tests)} tests"
    summary += f"; without one: {', '.join(unproven)}.\n\n" if unproven else ".\n\n"
    return summary + table(("row", "the guide asks for", "met in", "proven by `tests/`", "otherwise, and why"), lines)
